// Draws the picture of the page for the documentation: a server with two models under a load that varies.
//
// usage: node picture.mjs FOLDER MODEL ROLLUP PICTURE.png

import { cpSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

import { Client, freePort, start } from "./server.mjs";

const require = createRequire(import.meta.url);
const { chromium } = require(process.env.PLAYWRIGHT_CORE ?? "playwright-core");
const [folder, model, rollup, picture] = process.argv.slice(2).map((path) => resolve(path));
const SECONDS = 120;

rmSync(join(folder, "models"), { recursive: true, force: true });
for (const name of ["shop", "shop-next"]) cpSync(model, join(folder, "models", name), { recursive: true, dereference: true });
const port = await freePort();
const config = join(folder, "picture.toml");
const path = (name) => join(folder, "models", name);
writeFileSync(config, `model = "${path("shop")}"\nshadow = "${path("shop-next")}"\nrollup = "${rollup}"\nlisten = "127.0.0.1:0"\n[metrics]\nlisten = "127.0.0.1:${port}"\n`);
const server = await start(process.env.EBB_SERVE, config);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  const page = await browser.newPage({ viewport: { width: 1100, height: 1330 }, colorScheme: "light" });
  await page.goto(`http://127.0.0.1:${port}/`);
  const client = new Client(server.address);
  const until = Date.now() + SECONDS * 1000;
  for (let turn = 0; Date.now() < until; turn += 1) {
    const ids = Array.from({ length: 4 }, (_, i) => `U${String(1 + ((turn * 7 + i * 613) % 2695)).padStart(6, "0")}`);
    await Promise.all([...ids, ...(turn % 11 === 0 ? ["nobody"] : [])].map((id) => client.score(id)));
    if (turn % 60 === 0) await client.batch(Array.from({ length: 60 }, (_, i) => `U${String(1 + ((turn + i * 41) % 2695)).padStart(6, "0")}`));
    // A day in two minutes: busy in the middle.
    const busy = 1 - Math.cos((2 * Math.PI * (until - Date.now())) / (SECONDS * 1000));
    await new Promise((done) => setTimeout(done, 12 + 60 / (0.3 + busy)));
  }
  await page.screenshot({ path: picture });
  client.close();
} finally {
  await browser.close();
  await server.stop();
}
