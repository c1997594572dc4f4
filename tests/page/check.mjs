// Opens the page of a running server in a real browser and checks what people would notice: its figures are the server's,
// they refresh, and the page says so when the server is gone.
//
// usage: node check.mjs FOLDER MODEL ROLLUP
//
// EBB_SERVE names the server's binary, PLAYWRIGHT_CORE the folder of the library.

import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

import { faint, overflowing, overlapping } from "../report/findings.mjs";
import { Client, freePort, start } from "./server.mjs";

const require = createRequire(import.meta.url);
const { chromium } = require(process.env.PLAYWRIGHT_CORE ?? "playwright-core");
const [folder, model, rollup] = process.argv.slice(2).map((path) => resolve(path));
const server = process.env.EBB_SERVE;
if (!folder || !model || !rollup || !server) {
  console.error("usage: EBB_SERVE=BINARY node check.mjs FOLDER MODEL ROLLUP");
  process.exit(64);
}
// A name that would be markup, and run, if it were shown as such.
const HOSTILE = "<img src=x onerror=document.title='owned'>";
const SIZES = [
  { name: "desktop", width: 1280, height: 900 },
  { name: "tablet", width: 768, height: 1024 },
  { name: "phone", width: 390, height: 844 },
];

let passed = 0;
const failures = [];
function check(what, ok, detail = "") {
  if (ok) passed += 1;
  else {
    failures.push(what);
    console.log(`FAILED ${what} ${detail}`);
  }
}

/// Waits until the function of the page, with this argument, returns something; fails the check when that takes too long.
async function until(page, what, holds, argument) {
  try {
    await page.waitForFunction(holds, argument, { timeout: 15_000 });
    check(what, true);
  } catch (error) {
    check(what, false, error.message.split("\n")[0]);
  }
}

/// A page that notes everything that should not happen.
async function open(browser, origin, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const [noise, requests] = [[], []];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) noise.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => noise.push(`error: ${error.message}`));
  page.on("request", (request) => {
    requests.push(request.url());
    if (![`${origin}/`, `${origin}/status.json`].includes(request.url()) && !request.url().startsWith("data:")) noise.push(`request: ${request.url()}`);
  });
  await page.goto(`${origin}/`, { waitUntil: "load" });
  return { context, page, noise, requests };
}

const text = (page, id) => page.locator(`#${id}`).textContent();
const number = (shown) => Number(shown.replaceAll(",", "").match(/[\d.]+/)?.[0]);
const told = async (origin) => (await fetch(`${origin}/status.json`)).json();

/// Calls for as long as they are wanted, some of which fail.
function load(address) {
  const client = new Client(address);
  const ids = Array.from({ length: 400 }, (_, i) => `U${String(i + 1).padStart(6, "0")}`);
  let [ended, turn] = [false, 0];
  const running = (async () => {
    while (!ended) {
      const some = [ids[turn % 400], ids[(turn * 7) % 400], turn % 5 === 0 ? "nobody" : ids[(turn * 3) % 400]];
      await Promise.all(some.map((id) => client.score(id)));
      if (turn % 20 === 0) await client.batch(ids.slice(0, 100));
      turn += 1;
      await new Promise((done) => setTimeout(done, 15));
    }
    client.close();
  })();
  return () => {
    ended = true;
    return running;
  };
}

async function checkHeaders(origin) {
  const [got, head] = [await fetch(`${origin}/`), await fetch(`${origin}/`, { method: "HEAD" })];
  const body = await got.text();
  const policy = got.headers.get("content-security-policy") ?? "";
  check("GET is HTML with a policy", got.status === 200 && got.headers.get("content-type") === "text/html; charset=utf-8" && policy.startsWith("default-src 'none'") && !policy.includes("unsafe"), policy);
  check("HEAD has the same headers and no body", head.status === 200 && head.headers.get("content-security-policy") === policy && Number(head.headers.get("content-length")) === Buffer.byteLength(body) && (await head.text()) === "");
  check("the page is small", body.length < 60_000, `${body.length}`);
}

/// The figures that a page shows once nobody calls any more, against the server's own.
async function checkFigures(page, origin, name) {
  const status = await told(origin);
  const ended = status.calls.flatMap((call) => call.handled);
  const all = ended.reduce((n, [, count]) => n + count, 0);
  const failed = ended.filter(([code]) => code !== "OK").reduce((n, [, count]) => n + count, 0);
  await until(page, `${name}: all calls are counted`, (count) => document.getElementById("tile-calls-more").textContent === `${count} since the start`, all.toLocaleString("en"));
  check(`${name}: there were failed calls`, failed > 0 && failed < all);
  const share = number(await text(page, "tile-errors-more"));
  check(`${name}: the share of failed calls`, Math.abs(share - (100 * failed) / all) <= 0.51, `${share} for ${(100 * failed) / all}`);
  const stable = status.models.find((m) => m.labels.includes("stable"));
  check(`${name}: the stable model`, (await text(page, "summary")) === `Model ${stable.name} ${stable.version} answers, trained as of ${stable.as_of}.`);
  const rows = await page.locator("#models tr").allTextContents();
  check(`${name}: every model has its row`, rows.length === status.models.length && status.models.toSorted((a, b) => (b.labels.length > 0) - (a.labels.length > 0)).every((m, i) => rows[i].startsWith(m.name)), rows.join(" | "));
  const facts = await text(page, "rollup");
  check(`${name}: the users known by id`, facts.includes(status.rollup.users.toLocaleString("en")) && facts.includes(new Date(status.rollup.covered_until * 1000).toISOString().slice(0, 10)), facts);
  const methods = await page.locator("#methods tr").allTextContents();
  for (const call of status.calls.filter((c) => c.started > 0)) {
    const row = methods.find((m) => m.startsWith(`${call.method} ${call.service}`)) ?? "";
    check(`${name}: ${call.method} with its count`, row.includes(call.started.toLocaleString("en")), row);
    for (const [code, n] of call.handled.filter(([code]) => code !== "OK")) check(`${name}: ${call.method} with ${code}`, row.includes(`${n.toLocaleString("en")} ${code}`), row);
  }
  const memory = number(await text(page, "tile-memory"));
  check(`${name}: memory of the process`, memory > 5 && memory < 2000, `${memory}`);
  await checkScores(page, status, name);
}

async function checkScores(page, status, name) {
  await page.locator("#figure-scores summary").click();
  const rows = await page.locator("#figure-scores tbody tr").evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));
  const { bounds, now, training } = status.scores;
  const tenth = (values, i) => bounds.reduce((n, bound, k) => n + (Math.ceil(bound * 10 - 1e-9) - 1 === i ? values[k] : 0), 0);
  const users = now.counts.reduce((a, b) => a + b);
  check(`${name}: enough users were scored`, users > 1000, `${users}`);
  check(`${name}: ten bars, and ten shares of training`, rows.length === 10 && (await page.locator("#figure-scores line.mark").count()) === 10);
  const shown = rows.map(([, count]) => number(count));
  // The page may have been opened after the first of them.
  check(`${name}: users by probability`, shown.every((n, i) => n <= tenth(now.counts, i)) && shown.reduce((a, b) => a + b) > 200, shown.join(" "));
  const shares = rows.map((row) => number(row[3]));
  check(`${name}: shares at training`, shares.every((share, i) => Math.abs(share - 100 * tenth(training.shares, i)) <= 0.51) && Math.abs(shares.reduce((a, b) => a + b) - 100) < 4, shares.join(" "));
  await page.locator("#figure-scores summary").click();
}

/// What a screen reader would miss.
function nameless() {
  const out = [];
  for (const svg of document.querySelectorAll("svg")) {
    const said = ["aria-labelledby", "aria-describedby"].map((name) => document.getElementById(svg.getAttribute(name))?.textContent.trim());
    if (svg.getAttribute("role") !== "img" || said.some((words) => !words)) out.push(svg.outerHTML.slice(0, 80));
  }
  for (const figure of document.querySelectorAll("figure")) {
    if (!figure.querySelector("details table th[scope=col]")) out.push(`no table: ${figure.textContent.slice(0, 40)}`);
  }
  for (const table of document.querySelectorAll("table")) {
    if (!table.getAttribute("aria-labelledby") && !table.caption) out.push(`a table without a name: ${table.textContent.slice(0, 40)}`);
  }
  return out;
}
/// Text that comes of figures that are none.
const empty = () => document.body.innerText.match(/NaN|undefined|Infinity|\[object/)?.[0];

async function checkLooks(page, name) {
  for (const [what, find] of Object.entries({ overflowing, overlapping, faint, nameless })) {
    const found = await page.evaluate(find);
    check(`${name}: nothing ${what}`, found.length === 0, found.join("; "));
  }
  check(`${name}: every figure is one`, (await page.evaluate(empty)) === null || (await page.evaluate(empty)) === undefined, `${await page.evaluate(empty)}`);
  for (const id of ["calls", "latency", "memory", "shed"]) check(`${name}: a line in ${id}`, (await page.locator(`#figure-${id} path.line`).count()) > 0);
}

/// That each of the findings above is one where there is something to find.
async function checkControls(page) {
  const broken = await page.evaluate(() => {
    const svg = document.querySelector("#figure-calls svg");
    svg.removeAttribute("role");
    svg.append(svg.querySelector("text").cloneNode(true));
    const wide = document.querySelector("#main").appendChild(document.createElement("p"));
    wide.style.cssText = "width: 5000px; color: rgb(128, 128, 128); background: rgb(140, 140, 140)";
    wide.textContent = "NaN";
  });
  for (const [what, find] of Object.entries({ overflowing, overlapping, faint, nameless })) {
    check(`control: what is ${what} is found`, (await page.evaluate(find)).length > 0, `${broken}`);
  }
  check("control: a figure that is none is found", (await page.evaluate(empty)) === "NaN");
}

/// Nothing runs or is asked but what belongs to the page.
async function checkPolicy(browser, origin) {
  const { context, page, noise } = await open(browser, origin, {});
  await until(page, "policy: the page has its figures", () => document.getElementById("phase").textContent === "serving");
  const elsewhere = await page.evaluate(() => fetch("http://127.0.0.1:9/").then(() => "asked", (error) => error.message));
  check("policy: nothing else is asked", noise.some((n) => n.includes("Content Security Policy")), `${elsewhere}; ${noise}`);
  await context.close();
  const altered = await browser.newContext();
  const other = await altered.newPage();
  await other.route(`${origin}/`, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replace("const EVERY_MS = 2000;", "const EVERY_MS = 1000;") });
  });
  await other.goto(`${origin}/`);
  await other.waitForTimeout(500);
  check("control: an altered script does not run", (await other.locator("#phase").textContent()) === "asking");
  await altered.close();
}

/// A page in a tab that nobody sees asks for nothing, and goes on as soon as it is seen.
async function checkHidden({ page, requests }) {
  const hide = (hidden) => page.evaluate((to) => {
    Object.defineProperty(document, "hidden", { value: to, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  const asked = async () => {
    const before = requests.length;
    await page.waitForTimeout(4500);
    return requests.length - before;
  };
  check("control: a page that is seen asks", (await asked()) >= 2);
  await hide(true);
  await page.waitForTimeout(2500);
  check("a hidden page does not ask", (await asked()) === 0);
  await hide(false);
  check("a page that is seen again asks", (await asked()) >= 2);
}

mkdirSync(join(folder, "shots"), { recursive: true });
rmSync(join(folder, "models"), { recursive: true, force: true });
for (const name of ["shop", HOSTILE]) cpSync(model, join(folder, "models", name), { recursive: true, dereference: true });
const port = await freePort();
const origin = `http://127.0.0.1:${port}`;
const config = join(folder, "ebb-serve.toml");
writeFileSync(config, `model = "${join(folder, "models", "shop")}"\nmodels = "${join(folder, "models")}"\nrollup = "${rollup}"\nlisten = "127.0.0.1:0"\n[metrics]\nlisten = "127.0.0.1:${port}"\n`);
let running = await start(server, config);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
});
try {
  await checkHeaders(origin);
  const manager = new Client(running.address);
  check("a model with a hostile name is loaded", (await manager.load(HOSTILE)) === 0);
  manager.close();
  const pages = [];
  for (const size of SIZES) {
    for (const colorScheme of ["light", "dark"]) {
      const viewport = { width: size.width, height: size.height };
      pages.push({ name: `${size.name} ${colorScheme}`, ...(await open(browser, origin, { viewport, colorScheme })) });
    }
  }
  const [first] = pages;
  const stop = load(running.address);
  await until(first.page, "calls are seen while they come", () => Number(document.getElementById("tile-calls").textContent) > 20);
  const before = number(await text(first.page, "tile-calls-more"));
  await until(first.page, "the page refreshes itself", (n) => Number(document.getElementById("tile-calls-more").textContent.replaceAll(",", "").split(" ")[0]) > n, before);
  await first.page.waitForTimeout(Number(process.env.EBB_PAGE_SECONDS ?? 8) * 1000);
  for (const { page, name } of pages) await page.screenshot({ path: join(folder, "shots", `${name.replace(" ", "-")}.png`), fullPage: true });
  const half = await text(first.page, "tile-p50");
  check("half of the scoring calls take less than a second", /\d.ms$/.test(half), half);
  await stop();
  for (const { page, name } of pages) {
    await checkFigures(page, origin, name);
    await checkLooks(page, name);
    check(`${name}: a name is text`, (await page.locator("img").count()) === 0 && (await text(page, "models")).includes(HOSTILE));
  }
  const papers = await Promise.all(pages.map(({ page }) => page.evaluate(() => getComputedStyle(document.body).backgroundColor)));
  check("light is light, and dark is dark", papers.every((paper, i) => paper === papers[i % 2]) && papers[0] !== papers[1], papers.join(" "));
  await checkPolicy(browser, origin);
  await checkHidden(first);
  for (const { name, noise } of pages) check(`${name}: quiet`, noise.length === 0, noise.join("; "));
  check("the server stops", (await running.stop()) === 0);
  for (const { page, name } of pages) await until(page, `${name}: a server that is gone is shown as gone`, () => document.getElementById("phase").textContent === "no answer" && !document.getElementById("gone").hidden);
  for (const { page, name } of pages.slice(0, 3)) await page.screenshot({ path: join(folder, "shots", `${name.replace(" ", "-")}-gone.png`) });
  running = await start(server, config);
  await until(first.page, "a server that is there again is shown", () => document.getElementById("phase").textContent === "serving" && document.getElementById("gone").hidden && document.getElementById("tile-calls-more").textContent === "0 since the start");
  check("what one start loaded is not the next one's", (await first.page.locator("#models tr").count()) === 1);
  await checkControls(first.page);
} finally {
  await browser.close();
  await running.stop();
}
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length > 0 ? 1 : 0);
