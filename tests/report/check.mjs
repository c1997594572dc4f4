// Opens report pages in a real browser and checks what a reader would notice.
//
// usage: node check.mjs SCREENSHOT_FOLDER REPORT.html...
//
// Next to a page, `card.json` is read if it is there: the slider then has to agree with the card's gains, and
// otherwise with those that the page carries. `PLAYWRIGHT_CORE` may name the folder of the library.

import { existsSync, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

import { faint, overflowing, overlapping } from "./findings.mjs";

const require = createRequire(import.meta.url);
const { chromium } = require(process.env.PLAYWRIGHT_CORE ?? "playwright-core");
const [folder, ...reports] = process.argv.slice(2);
if (!folder || reports.length === 0) {
  console.error("usage: node check.mjs SCREENSHOT_FOLDER REPORT.html...");
  process.exit(64);
}

const SIZES = [
  { name: "desktop", width: 1280, height: 900 },
  { name: "tablet", width: 768, height: 1024 },
  { name: "phone", width: 390, height: 844 },
  { name: "narrow", width: 360, height: 640 },
];
const BYTES_MOST = 300_000;

let passed = 0;
const failures = [];
function check(what, ok, detail = "") {
  if (ok) passed += 1;
  else {
    failures.push(what);
    console.log(`FAILED ${what} ${detail}`);
  }
}

/// A page that notes everything that should not happen.
async function open(browser, path, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(5_000);
  const url = pathToFileURL(realpathSync(path)).href;
  const noise = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) noise.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => noise.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (request.url() !== url) noise.push(`request: ${request.url()}`);
  });
  await page.goto(url, { waitUntil: "load" });
  return { context, page, noise };
}

const number = (text) => Number(text.replaceAll(",", "").match(/[\d.]+/)?.[0]);

async function readings(panel) {
  const read = {};
  for (const key of ["budget", "contacted", "reached", "false_positives", "lift", "possible"]) {
    read[key] = (await panel.locator(`[data-out=${key}]`).textContent()).trim();
  }
  read.x = await panel.locator(".gains .marker").getAttribute("cx");
  read.y = await panel.locator(".gains .marker").getAttribute("cy");
  return read;
}

/// The slider's numbers against the gains.
async function slide(panel, name, card) {
  const days = Number((await panel.getAttribute("id")).slice(1));
  const budget = panel.locator(".budget");
  const data = await budget.evaluate((element) => ({ ...element.dataset }));
  const known = card?.horizons.find((h) => h.horizon_days === days)?.evaluation;
  const gains = known ? known.gains : data.gains.split(" ").map((g) => Number(g) / 100);
  const users = known ? known.users : Number(data.users);
  const churners = known ? Math.round(known.users * known.churn_rate) : Number(data.churners);
  const slider = budget.locator("input[type=range]");
  const before = await readings(panel);
  await slider.focus();
  await slider.press("ArrowRight");
  const after = await readings(panel);
  check(`${name}: a key moves the numbers`, before.contacted !== after.contacted && before.x !== after.x, JSON.stringify(after));
  for (const percent of [1, 10, 20, 37, 50, 99, 100]) {
    await slider.fill(String(percent));
    const read = await readings(panel);
    const contacted = Math.ceil((users * percent) / 100);
    const reached = number(read.reached);
    const share = gains[percent - 1];
    // Shares that the page carries are rounded to a ten-thousandth.
    const near = known ? 1e-6 * churners + 0.5 : 1e-4 * churners + 0.5;
    check(`${name}: ${percent} % contacted`, number(read.contacted) === contacted, read.contacted);
    check(`${name}: ${percent} % reached`, Math.abs(reached - share * churners) <= near, `${read.reached} for ${share * churners}`);
    check(`${name}: ${percent} % false positives`, number(read.false_positives) === contacted - reached, read.false_positives);
    const lift = (reached / contacted) * (users / churners);
    check(`${name}: ${percent} % lift`, Math.abs(number(read.lift) - lift) <= 0.0051, `${read.lift} for ${lift}`);
    const possible = (Math.min(contacted, churners) / contacted) * (users / churners);
    check(`${name}: ${percent} % possible lift`, Math.abs(number(read.possible) - possible) <= 0.0051, `${read.possible} for ${possible}`);
    check(`${name}: ${percent} % lift is possible`, number(read.lift) <= number(read.possible), `${read.lift} of ${read.possible}`);
    check(`${name}: ${percent} % marker`, read.x === `${percent}%` && Math.abs(number(read.y) - (100 - share * 100)) < 0.011, read.y);
  }
  await slider.fill("20");
  check(`${name}: the first reading is what the script gives`, JSON.stringify(await readings(panel)) === JSON.stringify(before));
}

/// What a screen reader would miss.
function nameless() {
  const out = [];
  for (const svg of document.querySelectorAll("svg")) {
    if (svg.parentElement.closest("svg") || svg.getAttribute("aria-hidden") === "true") continue;
    const named = (svg.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent.trim());
    if (svg.getAttribute("role") !== "img" || named.length !== 2 || named.some((n) => !n)) out.push(svg.outerHTML.slice(0, 80));
  }
  for (const input of document.querySelectorAll("input")) if (input.labels.length === 0) out.push(input.outerHTML);
  for (const figure of document.querySelectorAll("figure")) {
    if (!figure.querySelector("figcaption")?.textContent.trim()) out.push(`no caption: ${figure.textContent.slice(0, 40)}`);
  }
  return out.slice(0, 5);
}

/// Charts without a sentence that says something of the data, and axes that don't say what they show.
function mute() {
  const out = [];
  for (const figure of document.querySelectorAll("figure")) {
    const [heading, said] = ["h3", "figcaption"].map((s) => figure.querySelector(s).textContent.trim());
    const drawn = figure.querySelector(".plot, .intervals, .heatmap, .bars, table");
    if (drawn && !(/\d/.test(said) && said.endsWith("."))) out.push(`${heading}: ${said}`);
    if (/NaN|undefined|Infinity|\s{2,}/.test(said)) out.push(`${heading}: ${said}`);
  }
  for (const chart of document.querySelectorAll(".plot > svg")) {
    if (chart.closest(".lanes")) continue;
    const [labels, ticks] = [".label", ".tick"].map((s) => [...chart.querySelectorAll(s)].filter((t) => t.textContent.trim()));
    if (labels.length !== 2 || ticks.length < 4) out.push(`${chart.querySelector("title").textContent}: ${labels.length} labels, ${ticks.length} ticks`);
  }
  for (const list of document.querySelectorAll(".intervals")) {
    if (!list.querySelector(".unit")?.textContent.trim() || list.querySelectorAll(".scale .tick").length < 2) out.push(`intervals: ${list.textContent.slice(0, 60)}`);
  }
  return out.slice(0, 5);
}

/// Every chart that a judged horizon has, and that they show the card's figures.
async function checkCharts(panel, name, card) {
  const days = Number((await panel.getAttribute("id")).slice(1));
  const horizon = card?.horizons.find((h) => h.horizon_days === days);
  if (card && !horizon?.evaluation) return;
  for (const id of ["calibration", "dates", "roc", "pr", "lift"]) {
    check(`${name}: there is a chart ${id}`, (await panel.locator(`#${id}-${days}-t`).count()) === 1);
  }
  if (!card) return;
  const evaluation = horizon.evaluation;
  const drawn = await panel.evaluate((element, days) => {
    const path = element.querySelector(`svg[aria-labelledby^="roc-${days}-t"] path.model`).getAttribute("d");
    const points = path.slice(1).split("L").map((p) => p.split(" ").map(Number));
    let area = 0;
    for (const [i, [x, y]] of points.slice(1).entries()) area += ((x - points[i][0]) * (200 - y - points[i][1])) / 2;
    const rows = (selector) => element.querySelectorAll(selector).length;
    return { area: area / 10_000, baselines: rows(".baselines .interval"), candidates: rows(".candidates .interval"), overDates: rows(".over-dates .interval"), intervals: rows(".intervals .interval"), dates: rows(`svg[aria-labelledby^="dates-${days}-t"] .dot`) };
  }, days);
  check(`${name}: the area below the ROC curve is the AUC`, Math.abs(drawn.area - evaluation.model.auc.value) < 0.01, `${drawn.area}`);
  check(`${name}: every baseline is compared twice`, drawn.baselines === 2 * evaluation.baselines.length, `${drawn.baselines}`);
  const slices = evaluation.slices.length + evaluation.slices.filter((s) => s.metrics?.auc).length;
  const ofUsers = drawn.intervals - drawn.baselines - drawn.candidates - drawn.overDates;
  check(`${name}: every part of the users is drawn`, ofUsers === slices, `${ofUsers} for ${slices}`);
  check(`${name}: every baseline of the backtest is compared`, drawn.overDates === horizon.against_baselines.length, `${drawn.overDates}`);
  const dates = datesShown(horizon);
  check(`${name}: every date is drawn`, drawn.dates === dates, `${drawn.dates} for ${dates}`);
}

const daysBetween = (a, b) => (Date.parse(b) - Date.parse(a)) / 86_400_000;

/// Dates so new that those with predictions take up half of the width.
function datesShown({ by_date }) {
  const oldest = by_date.find((d) => d.deciles.length > 0);
  if (!oldest) return by_date.length;
  const newest = by_date.at(-1).date;
  const most = Math.max(90, 2 * daysBetween(oldest.date, newest));
  return by_date.filter((d) => daysBetween(d.date, newest) <= most).length;
}

/// Churn by season against the card.
async function checkSeason(panel, name, card) {
  const days = Number((await panel.getAttribute("id")).slice(1));
  const horizon = card?.horizons.find((h) => h.horizon_days === days);
  check(`${name}: there are seasons`, (await panel.getByRole("heading", { name: "Churn by season", exact: true }).count()) === 1);
  if (!horizon) return;
  const dates = horizon.by_date.filter((d) => d.users >= 20);
  const long = dates.length > 0 && daysBetween(dates[0].date, dates.at(-1).date) >= 395;
  const chart = `svg[aria-labelledby^="season-${days}-t"]`;
  const count = (mark) => panel.locator(`${chart} ${mark}`).count();
  const observed = await count("circle[class^=year-]");
  check(`${name}: every date has its place in the year`, observed === (long ? dates.length : 0), `${observed}`);
  const rings = await count(".hollow");
  const predicted = dates.filter((d) => d.predicted !== null).length;
  check(`${name}: every prediction has a ring`, rings === (long ? predicted : 0), `${rings} for ${predicted}`);
  const forecasts = await count(".marker");
  check(`${name}: the forecast is drawn once`, forecasts === (long && horizon.next_window ? 1 : 0), `${forecasts}`);
}

/// How the hyperparameters were chosen and whether the churn rate drifts, against the card.
async function checkChoice(panel, name, card) {
  const days = Number((await panel.getAttribute("id")).slice(1));
  const horizon = card?.horizons.find((h) => h.horizon_days === days);
  for (const heading of ["How were the hyperparameters chosen?", "Does the churn rate drift?"]) {
    check(`${name}: asks ${heading}`, (await panel.getByRole("heading", { name: heading, exact: true }).count()) === 1);
  }
  if (!horizon) return;
  const { rows, zero } = await panel.locator(".candidates").evaluateAll((figures) => {
    const at = (element, what) => Number.parseFloat(element.getAttribute(what));
    const items = figures.flatMap((f) => [...f.querySelectorAll("li:not(.foot)")]);
    const row = (item) => ({
      at: at(item.querySelector("circle"), "cx"),
      error: (at(item.querySelector(".span"), "x2") - at(item.querySelector(".span"), "x1")) / 2,
      selected: item.className === "own" && item.querySelector(".detail")?.textContent === "selected",
    });
    return { rows: items.map(row), zero: items.length > 0 ? at(items[0].querySelector(".zero"), "x1") : 0 };
  });
  const { trials, backtest } = horizon;
  check(`${name}: every candidate is drawn`, rows.length === (trials.length > 1 ? trials.length : 0), `${rows.length}`);
  const widest = Math.max(...trials.map((t) => Math.abs(t.log_loss_delta)));
  const far = trials.findIndex((t) => Math.abs(t.log_loss_delta) === widest);
  for (const [i, row] of rows.entries()) {
    const unit = (rows[far].at - zero) / trials[far].log_loss_delta;
    const near = (a, b) => widest === 0 || Math.abs(a - b) < 0.05;
    check(`${name}: difference ${i} is where it should be`, near(row.at - zero, trials[i].log_loss_delta * unit), `${row.at}`);
    check(`${name}: standard error ${i} is as long as it should be`, near(row.error, Math.abs(trials[i].standard_error * unit)), `${row.error}`);
    check(`${name}: candidate ${i} is marked if it was selected`, row.selected === trials[i].selected);
  }
  const drift = `svg[aria-labelledby^="drift-${days}-t"]`;
  const dots = await panel.locator(`${drift} .dot`).evaluateAll((all) => all.map((c) => [c.getAttribute("cx"), c.getAttribute("cy")].map(Number.parseFloat)));
  check(`${name}: every backtest fold is drawn`, dots.length === backtest.length, `${dots.length}`);
  if (dots.length === 0 || dots.length !== backtest.length) return;
  check(`${name}: time runs to the right`, dots.every(([x], i) => i === 0 || x > dots[i - 1][0]), `${dots}`);
  const shifts = backtest.map((o) => o.shift).reverse();
  const ordered = dots.every(([, y], i) => dots.every(([, other], j) => shifts[i] <= shifts[j] || y <= other));
  check(`${name}: larger shifts are higher`, ordered, `${dots}`);
  const [level, carried] = await panel.locator(`${drift} :is(.zero, .marker-line)`).evaluateAll((all) => all.map((l) => Number.parseFloat(l.getAttribute("y1"))));
  check(`${name}: dots are on their side of the zero line`, dots.every(([, y], i) => (level - y) * shifts[i] >= 0), `${level}`);
  const most = shifts.reduce((far, shift, i) => (Math.abs(shift) > Math.abs(shifts[far]) ? i : far), 0);
  const added = ((level - carried) / (level - dots[most][1])) * shifts[most];
  check(`${name}: what is added is the card's`, Math.abs(added - horizon.shrunk_shift) < 1e-3, `${added} for ${horizon.shrunk_shift}`);
  // Without a slope and undrawn, it is the whole intercept.
  const { intercept, slope } = horizon.calibration;
  const whole = slope === 1 && horizon.shrunk_to_base_rate === 0;
  check(`${name}: what is added is the intercept`, !whole || Math.abs(added - intercept) < 1e-3, `${added} for ${intercept}`);
  const mean = shifts.reduce((a, b) => a + b, 0) / shifts.length;
  const part = added * mean >= 0 && Math.abs(added) <= Math.abs(mean) + 1e-3;
  check(`${name}: what keeps coming back is a part of the shifts`, horizon.forecast.method !== null || part, `${added}`);
  const rings = await panel.locator(`${drift} .hollow`).count();
  const forecast = backtest.some((fold) => fold.forecast !== 0);
  check(`${name}: every forecast has a ring`, rings === (forecast ? backtest.length : 0), `${rings}`);
}

/// The charts of who the users are against the card.
async function checkUsers(page, name, card) {
  if (!card) return;
  const moved = await page.locator(".moves td[title]").evaluateAll((cells) => cells.map((c) => Number(c.title.replaceAll(",", "").match(/^\d+/)[0])));
  const users = card.transitions?.users.flat().reduce((a, b) => a + b, 0) ?? 0;
  check(`${name}: every user's move is in a cell`, moved.reduce((a, b) => a + b, 0) === users, `${moved}`);
  const features = card.segments[0]?.profile.length ?? 0;
  const shown = await page.locator(".profiles tbody td:not(.detail)").count();
  check(`${name}: every segment has its profile`, card.segments.length === 0 || shown === (card.segments.length + 1) * features, `${shown}`);
  const stacks = await page.locator('svg[aria-labelledby^="stages-t"] rect').count();
  check(`${name}: every date has its stages`, stacks === 5 * card.stage_sizes.length, `${stacks}`);
  const later = card.retention.cohorts.reduce((n, c) => n + c.active.length - 1, 0);
  const cells = await page.locator(".cohorts td[title]").count();
  check(`${name}: every cohort is in the table`, cells === later, `${cells} for ${later}`);
}

/// What the lift chart draws, in lifts, against the best that any order could do.
async function checkLift(panel, name, card) {
  const days = Number((await panel.getAttribute("id")).slice(1));
  const evaluation = card?.horizons.find((h) => h.horizon_days === days)?.evaluation;
  const said = await panel.locator("figure", { has: panel.page().locator(`#lift-${days}-t`) }).locator("figcaption").textContent();
  const [own, best] = [said.match(/lift (\d+(\.\d+)?)/), said.match(/perfect order (\d+(\.\d+)?)/)].map((m) => Number(m?.[1]));
  check(`${name}: the lift in the caption is possible`, own <= best, said);
  if (!evaluation) return;
  const churners = Math.round(evaluation.users * evaluation.churn_rate);
  const axis = await panel.evaluate((element, days) => {
    const chart = element.querySelector(`svg[aria-labelledby^="lift-${days}-t"]`);
    const ticks = [...chart.querySelectorAll(".tick[x='-8']")].map((t) => [Number.parseFloat(t.getAttribute("y")), Number.parseFloat(t.textContent)]);
    const paths = [...chart.querySelectorAll("path.model, path.baseline")].map((p) => p.getAttribute("d").slice(1).split("L").map((q) => q.split(" ").map(Number)));
    return { ticks, paths };
  }, days);
  const [[y0, v0], [y1, v1]] = [axis.ticks[0], axis.ticks.at(-1)];
  const unit = (v1 - v0) / (y1 - y0);
  const over = axis.paths.flat().filter(([x, y]) => {
    const contacted = Math.ceil((evaluation.users * Math.round(x)) / 100);
    const possible = (Math.min(contacted, churners) / contacted) * (evaluation.users / churners);
    return v0 + (y - y0) * unit > possible + Math.abs(unit) * 0.01 + 1e-9;
  });
  check(`${name}: no drawn lift is above the possible`, axis.paths.length > 0 && over.length === 0, `${over}`);
}

/// Whether a page must have a section on value: where its card has such a part, or without a card where there is a heading of one.
async function valued(page, card) {
  return card ? Boolean(card.value) : (await page.locator("h2", { hasText: "What are users worth?" }).count()) > 0;
}

/// Whether a page must have a section on the laws of frequency.
async function hasLaws(page, card) {
  return card ? Boolean(card.laws) : (await page.locator("h2", { hasText: "How often are users active?" }).count()) > 0;
}

/// The section on value has the card's sums, and a picture for each part of the card.
async function checkValue(page, name, card) {
  const { value } = card ?? {};
  if (!value) return;
  const section = page.locator("#value");
  const sum = (of) => value.tiers.reduce((total, tier) => total + of(tier), 0);
  const tiles = {
    Users: sum((tier) => tier.users),
    "Expected spend": sum((tier) => tier.expected_spend),
    "Residual value": sum((tier) => tier.residual_value.value),
    "Value at risk": sum((tier) => tier.value_at_risk),
  };
  for (const [heading, expected] of Object.entries(tiles)) {
    const tile = section.locator(".tile", { has: page.locator(`h3:text-is("${heading}")`) });
    const shown = await tile.locator(".big").textContent();
    const near = expected < 100 ? 0.006 : 0.51;
    check(`${name}: ${heading} is the card's`, Math.abs(number(shown) - expected) <= near, `${shown} for ${expected}`);
    const currency = heading === "Users" ? "" : (value.currency ?? "");
    check(`${name}: ${heading} has its currency`, shown.trim().endsWith(currency), shown);
  }
  const cells = await section.locator(".at-risk tbody tr").count();
  check(`${name}: a row at risk for each tier`, cells === value.tiers.length, `${cells}`);
  const headings = await section.locator("figure h3").allTextContents();
  const judged = ["Is the level right", "Are those who spend most", "Is it better than", "Do the intervals hold"];
  for (const start of ["Where is value at risk", "How much of the value", "In which stages", ...(value.evaluation ? judged : [])]) {
    check(`${name}: there is a figure "${start}"`, headings.filter((h) => h.startsWith(start)).length === 1, headings.join("; "));
  }
  const gini = value.evaluation && `Normalised Gini ${value.evaluation.model.gini.value.toFixed(3)}`;
  check(`${name}: the Gini is the card's`, !gini || (await section.textContent()).includes(gini), gini ?? "");
}

/// With everything opened that can be, nothing sticks out either: a table that is too wide moves by itself.
async function checkOpened(page, name) {
  const closed = await page.evaluate(() => {
    const all = [...document.querySelectorAll("#value details:not([open])")];
    for (const details of all) details.open = true;
    return all.length;
  });
  if (closed === 0) return;
  for (const [what, find] of Object.entries({ overflowing, overlapping, faint })) {
    const found = await page.evaluate(find);
    check(`${name}: nothing ${what} in ${closed} opened tables`, found.length === 0, found.join("; "));
  }
  const stuck = await page.evaluate(() => {
    const wide = [...document.querySelectorAll("#value .scroll")].filter((box) => box.scrollWidth > box.clientWidth);
    return wide.filter((box) => box.tabIndex !== 0 || !box.getAttribute("aria-label")).map((box) => box.textContent.slice(0, 40));
  });
  check(`${name}: wide tables can be moved by keyboard`, stuck.length === 0, stuck.join("; "));
  await page.evaluate(() => document.querySelectorAll("#value details[open]").forEach((details) => { details.open = false; }));
}

/// The verdict on the page is the card's, and so is what the page says it is about.
async function checkHead(page, name, card) {
  const order = await page.locator("main > section").evaluateAll((all) => all.map((s) => s.id));
  const sections = ["verdict", "users", ...(await valued(page, card) ? ["value"] : []), ...(await hasLaws(page, card) ? ["laws"] : []), "budget", "evidence", "log"];
  check(`${name}: verdict, users, value and budget come before the evidence`, order.join() === sections.join(), `${order}`);
  if (!card) return;
  const head = await page.locator("header").textContent();
  for (const known of [card.model_version, card.config_hash?.slice(0, 12), card.data_quality.files?.[0]?.file]) {
    check(`${name}: the head names ${known}`, !known || head.includes(known), head);
  }
  const words = { strong: "strong", modest: "modest", not_shown: "not shown" };
  for (const [i, h] of card.horizons.entries()) {
    const said = (await page.locator(".verdicts > li").nth(i).textContent()).replaceAll("\u202f", " ").toLowerCase();
    const verdict = h.evaluation?.verdict;
    if (verdict) check(`${name}: the ${h.horizon_days}-day verdict is the card's`, said.includes(words[verdict.strength]), said);
    const { low, value, high } = verdict?.log_loss_difference ?? { low: 0, value: 0, high: 0 };
    check(`${name}: the ${h.horizon_days}-day interval holds its figure`, low <= value && value <= high);
  }
}

/// The bar of contents: it stays in view, leads to every section by mouse and by keyboard, and marks where one is.
async function checkContents(browser, report, stem) {
  for (const size of SIZES) {
    const name = `${stem} ${size.name} contents`;
    const { context, page, noise } = await open(browser, report, { viewport: size });
    const links = page.locator("nav.contents a");
    const names = await links.evaluateAll((all) => all.map((a) => a.hash));
    const ids = await page.locator("main > section").evaluateAll((all) => all.map((s) => `#${s.id}`));
    check(`${name}: a link for every section`, names.length > 0 && names.join() === ids.join(), `${names}`);
    const bar = () => page.locator("nav.contents").evaluate((nav) => nav.getBoundingClientRect().toJSON());
    const settled = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    for (const [i, hash] of names.entries()) {
      if (i % 2 === 0) await links.nth(i).click();
      else {
        await links.nth(i).focus();
        await page.keyboard.press("Enter");
      }
      await settled();
      const { bottom, top } = await bar();
      check(`${name}: it stays at the top at ${hash}`, Math.abs(top) < 1, `${top}`);
      const heading = await page.locator(`${hash} > h2`).evaluate((h) => h.getBoundingClientRect().top);
      check(`${name}: ${hash} starts below it`, heading >= bottom - 1 && (heading < size.height * 0.6 || i === names.length - 1), `${heading} ${bottom}`);
      const marked = await page.locator("nav.contents [aria-current]").evaluateAll((all) => all.map((a) => a.hash));
      check(`${name}: ${hash} is marked`, marked.join() === hash, `${marked}`);
      const link = await links.nth(i).evaluate((a) => a.getBoundingClientRect().toJSON());
      check(`${name}: the link to ${hash} is in view`, link.left >= -0.5 && link.right <= size.width + 0.5 && link.height >= 40, JSON.stringify(link));
    }
    // By keyboard alone, from the start of the page: the first stop is the first link, and what has the focus is seen.
    await page.goto("about:blank");
    await page.goto(pathToFileURL(realpathSync(report)).href);
    await page.keyboard.press("Tab");
    check(`${name}: it is the first stop of the Tab key`, (await page.evaluate(() => document.activeElement.hash)) === names[0]);
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    check(`${name}: the focus is seen`, outline !== "none", outline);
    for (let stop = names.length; stop < names.length + 6; stop += 1) {
      await page.keyboard.press("Tab");
      const hidden = await page.evaluate(() => {
        const box = document.activeElement.getBoundingClientRect();
        const bar = document.querySelector("nav.contents");
        return !bar.contains(document.activeElement) && document.activeElement !== document.body && box.bottom <= bar.getBoundingClientRect().bottom;
      });
      check(`${name}: stop ${stop} is not hidden behind it`, !hidden);
    }
    check(`${name}: quiet`, noise.filter((n) => !n.includes("about:blank")).length === 0, noise.join("; "));
    await context.close();
  }
}

async function checkAt(browser, report, size, scheme, stem, card) {
  const name = `${stem} ${size.name} ${scheme}`;
  const viewport = { width: size.width, height: size.height };
  const { context, page, noise } = await open(browser, report, { viewport, colorScheme: scheme });
  const tabs = await page.locator("#evidence [role=tab]").all();
  if (size.name === "desktop") await checkHead(page, name, card);
  if (size.name === "desktop") await checkValue(page, name, card);
  await checkOpened(page, name);
  for (const [i, tab] of (tabs.length > 0 ? tabs : [null]).entries()) {
    await tab?.click();
    const panel = page.locator("#evidence .panel:not([hidden])");
    const contact = page.locator("#budget .panel:not([hidden])");
    check(`${name}: one panel at a time`, (await panel.count()) === 1 && (await contact.count()) === 1);
    const days = await Promise.all([panel, contact].map((p) => p.getAttribute("data-days")));
    check(`${name}: of one horizon everywhere`, days[0] === days[1], `${days}`);
    for (const [what, find] of Object.entries({ overflowing, overlapping, faint, nameless, mute })) {
      const found = await page.evaluate(find);
      check(`${name} ${i}: nothing ${what}`, found.length === 0, found.join("; "));
    }
    const judged = (await contact.locator(".budget").count()) > 0;
    if (judged && size.name !== "tablet") await slide(contact, `${name} ${i}`, card);
    if (judged && size.name === "desktop") {
      await checkCharts(panel, `${name} ${i}`, card);
      await checkLift(panel, `${name} ${i}`, card);
      check(`${name} ${i}: there is a chart gains`, (await contact.locator("svg[aria-labelledby^=gains]").count()) === 1);
    }
    if (size.name === "desktop") await checkChoice(panel, `${name} ${i}`, card);
    if (size.name === "desktop") await checkSeason(panel, `${name} ${i}`, card);
    await page.evaluate(() => document.activeElement?.blur());
    await page.screenshot({ path: join(folder, `${stem}-${size.name}-${scheme}-${i}.png`), fullPage: true });
  }
  if (size.name === "desktop") await checkUsers(page, name, card);
  check(`${name}: quiet`, noise.length === 0, noise.join("; "));
  await context.close();
}

async function checkTabs(browser, report, stem) {
  const { context, page } = await open(browser, report, { viewport: SIZES[0] });
  const tabs = page.locator("[role=tab]");
  if ((await tabs.count()) > 1) {
    await tabs.first().focus();
    await page.keyboard.press("ArrowRight");
    const chosen = await page.locator("[role=tab][aria-selected=true]").evaluateAll((all) => all.map((t) => t.dataset.days));
    const second = await tabs.nth(1).getAttribute("data-days");
    check(`${stem}: an arrow key turns to the next tab, everywhere`, chosen.length === 2 && chosen.every((days) => days === second), `${chosen}`);
  }
  await context.close();
}

/// Without scripts, and on paper, everything is there.
async function checkStill(browser, report, stem) {
  const { context, page, noise } = await open(browser, report, { viewport: SIZES[0], javaScriptEnabled: false });
  const [all, shown] = [await page.locator(".panel").count(), await page.locator(".panel:visible").count()];
  check(`${stem}: every panel shows without scripts`, all > 0 && all === shown, `${shown} of ${all}`);
  check(`${stem}: quiet without scripts`, noise.length === 0, noise.join("; "));
  await context.close();
  const paper = await open(browser, report, { viewport: SIZES[0], colorScheme: "dark" });
  await paper.page.emulateMedia({ media: "print", colorScheme: "dark" });
  check(`${stem}: every panel is printed`, (await paper.page.locator(".panel:visible").count()) === all);
  const ink = await paper.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  check(`${stem}: paper is light`, ink.match(/\d+/g).every((c) => Number(c) > 200), ink);
  // The width of A4 between its margins, at 96 pixels to the inch.
  await paper.page.setViewportSize({ width: 703, height: 1017 });
  for (const [what, find] of Object.entries({ overflowing, overlapping })) {
    const found = await paper.page.evaluate(find);
    check(`${stem}: nothing ${what} on paper`, found.length === 0, found.join("; "));
  }
  await paper.page.pdf({ path: join(folder, `${stem}.pdf`), format: "A4", printBackground: true });
  await paper.context.close();
}

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
});
try {
  for (const report of reports) {
    const beside = join(dirname(report), "card.json");
    const card = existsSync(beside) ? JSON.parse(readFileSync(beside, "utf8")) : undefined;
    const stem = basename(report) === "report.html" ? basename(dirname(realpathSync(report))) : basename(report, ".html");
    try {
      check(`${stem}: small`, readFileSync(report).length < BYTES_MOST);
      for (const size of SIZES) {
        for (const scheme of ["light", "dark"]) await checkAt(browser, report, size, scheme, stem, card);
      }
      await checkContents(browser, report, stem);
      await checkTabs(browser, report, stem);
      await checkStill(browser, report, stem);
    } catch (error) {
      check(`${stem}: can be used at all`, false, error.message.split("\n")[0]);
    }
  }
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length > 0 ? 1 : 0);
