// Asks a running server from pages in a real browser: what the browser lets through and what it keeps back.
//
// usage: node browser.mjs HTTP_ADDRESS ALLOWED_PORT OTHER_PORT
//
// The server must list http://localhost:ALLOWED_PORT among its origins, and not that of the other port. PLAYWRIGHT_CORE and
// CHROMIUM name the library and the browser. Prints one "ok" or "FAILED" line for each check.

import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { chromium } = require(process.env.PLAYWRIGHT_CORE ?? "playwright-core");
const [address, allowed, other] = process.argv.slice(2);
const server = `http://${address}`;
let failed = 0;

function check(what, holds, detail = "") {
  failed += !holds;
  console.log(`${holds ? "ok" : "FAILED"} browser: ${what} ${holds ? "" : JSON.stringify(detail)}`);
}

/// A page without anything on it.
function site(port) {
  const page = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!DOCTYPE html><title>x</title>"));
  return new Promise((resolve) => page.listen(Number(port), "localhost", () => resolve(page)));
}

/// What a page's own script gets: status and body, or that the browser refused.
async function ask(page, path, options) {
  return page.evaluate(
    async ([url, options]) => {
      try {
        const response = await fetch(url, options);
        return { status: response.status, type: response.headers.get("content-type"), id: response.headers.get("x-request-id"), text: await response.text() };
      } catch (error) {
        return { refused: String(error) };
      }
    },
    [`${server}${path}`, options],
  );
}

/// A call of gRPC-Web: the only message of a request that has one field, the frame of which a page makes itself.
async function web(page, text) {
  return page.evaluate(
    async ([url, id, text]) => {
      const name = new TextEncoder().encode(id);
      // ScoreUserRequest.subject (1), Subject.user_id (1).
      const subject = [0x0a, name.length, ...name];
      const message = [0x0a, subject.length, ...subject];
      const frame = new Uint8Array([0, 0, 0, 0, message.length, ...message]);
      const type = `application/grpc-web${text ? "-text" : "+proto"}`;
      const body = text ? btoa(String.fromCharCode(...frame)) : frame;
      const headers = { "content-type": type, "x-grpc-web": "1", authorization: "Bearer none" };
      const response = await fetch(url, { method: "POST", headers, body });
      let bytes = new Uint8Array(await response.arrayBuffer());
      if (text) {
        const pieces = new TextDecoder().decode(bytes).match(/[^=]+=*/g) ?? [];
        bytes = Uint8Array.from(pieces.map((piece) => atob(piece)).join(""), (letter) => letter.charCodeAt(0));
      }
      const length = (bytes[1] << 24) | (bytes[2] << 16) | (bytes[3] << 8) | bytes[4];
      const trailers = new TextDecoder().decode(bytes.slice(5 + length + 5));
      return { status: response.headers.get("grpc-status"), first: bytes[0], length, trailers };
    },
    [`${server}/churn.v1.ScoringService/ScoreUser`, "U000053", text],
  );
}

const sites = await Promise.all([site(allowed), site(other)]);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  const body = JSON.stringify({ subject: { userId: "U000053" } });
  const json = { method: "POST", headers: { "content-type": "application/json" }, body };
  await page.goto(`http://localhost:${allowed}/`);
  const score = await ask(page, "/v1/score", json);
  check("a page of a listed origin gets a score", score.status === 200 && JSON.parse(score.text).score.status === "SCORE_STATUS_SCORED", score);
  const failure = await ask(page, "/v1/score", { ...json, body: "{}" });
  check("it can read an error and its request id", failure.status === 400 && failure.id?.length === 16 && JSON.parse(failure.text).code === 3, failure);
  const models = await ask(page, "/v1/models", { headers: { authorization: "Bearer none" } });
  check("it can send a key", models.status === 200, models);
  for (const text of [false, true]) {
    const answer = await web(page, text);
    check(`gRPC-Web ${text ? "in base64" : "in bytes"} ends with its status`, answer.first === 0 && answer.length > 100 && answer.trailers === "grpc-status: 0\r\n", answer);
  }
  await page.goto(`http://localhost:${other}/`);
  for (const [what, options] of [["asks", json], ["reads", {}]]) {
    const path = what === "asks" ? "/v1/score" : "/v1/models";
    const refused = await ask(page, path, options);
    check(`a page of another origin ${what} in vain`, refused.refused !== undefined, refused);
  }
  // A request that a browser sends without asking first, whose answer it keeps back.
  const plain = await ask(page, "/v1/score", { method: "POST", mode: "no-cors", body });
  check("it sees nothing of what it sends blindly", plain.status === 0 && plain.text === "", plain);
} finally {
  await browser.close();
  sites.forEach((page) => page.close());
}
process.exit(failed > 0 ? 1 : 0);
