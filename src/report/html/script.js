"use strict";
// Contact budget: moves the numbers and the marker on the gains curve.
for (const figure of document.querySelectorAll(".gains")) {
  const budget = figure.querySelector(".budget");
  const numbers = (text) => text.split(" ").filter(Boolean).map(Number);
  const reached = numbers(budget.dataset.reached);
  const gains = numbers(budget.dataset.gains);
  const users = Number(budget.dataset.users);
  const churners = Number(budget.dataset.churners);
  const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
  const percent = (share) => {
    const p = share * 100;
    if (!Number.isFinite(p)) return "–";
    let text = p.toFixed(Math.abs(p) < 9.95 || (p > 99 && p < 100) ? 1 : 0).replace(/\.0$/, "");
    if (text === "0" && p > 0) return "<\u202f0.1\u202f%";
    if (text === "100" && p < 100) text = "99.9";
    return text + "\u202f%";
  };
  const show = (key, text) => {
    figure.querySelector(`[data-out=${key}]`).textContent = text;
  };
  const marker = figure.querySelector(".marker");
  const line = figure.querySelector(".marker-line");
  const input = figure.querySelector("input");
  const move = () => {
    const budgetPercent = Number(input.value);
    const contacted = Math.ceil((users * budgetPercent) / 100);
    const found = reached[budgetPercent - 1];
    const lift = ((found / contacted) * users) / churners;
    show("budget", percent(budgetPercent / 100));
    show("contacted", grouped(contacted));
    show("reached", `${grouped(found)} (${percent(found / Math.max(churners, 1))})`);
    show("bothered", grouped(contacted - found));
    const possible = ((Math.min(contacted, churners) / contacted) * users) / churners;
    const times = (n) => `${Number.isFinite(n) ? n.toFixed(2) : "–"}×`;
    show("lift", times(lift));
    show("possible", times(possible));
    const y = `${100 - (gains[budgetPercent - 1] ?? 0)}%`;
    marker.setAttribute("cx", `${budgetPercent}%`);
    marker.setAttribute("cy", y);
    line.setAttribute("x1", `${budgetPercent}%`);
    line.setAttribute("x2", `${budgetPercent}%`);
    line.setAttribute("y2", y);
  };
  input.addEventListener("input", move);
  // A browser may restore the slider of an earlier visit.
  move();
}
// Horizons: one panel at a time, of one horizon everywhere.
const groups = [...document.querySelectorAll("[role=tablist]")].map((list) => [...list.querySelectorAll("[role=tab]")]);
const choose = (days) => {
  for (const tab of groups.flat()) {
    const own = tab.dataset.days === days;
    tab.setAttribute("aria-selected", String(own));
    tab.tabIndex = own ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !own;
  }
};
for (const tabs of groups) {
  for (const [position, tab] of tabs.entries()) {
    const panel = document.getElementById(tab.getAttribute("aria-controls"));
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    const turn = (to) => {
      // What was above the tabs may have become shorter or longer: they stay where they are on the screen.
      const before = to.getBoundingClientRect().top;
      choose(to.dataset.days);
      scrollBy(0, to.getBoundingClientRect().top - before);
    };
    tab.addEventListener("click", () => turn(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(position + step + tabs.length) % tabs.length];
      turn(next);
      next.focus({ preventScroll: true });
    });
  }
  tabs[0].parentElement.hidden = false;
}
if (groups.length > 0) choose(groups[0][0].dataset.days);
// Contents: the section at hand is marked, and its link brought into view where the bar is too narrow for all.
const links = [...document.querySelectorAll(".contents a")];
const mark = () => {
  const line = document.querySelector(".contents").getBoundingClientRect().bottom + 24;
  const above = (link) => document.querySelector(link.hash).getBoundingClientRect().top <= line;
  const atEnd = scrollY > 0 && innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const current = atEnd ? links.at(-1) : links.findLast(above);
  for (const link of links) {
    if (link === current && !link.hasAttribute("aria-current")) {
      link.setAttribute("aria-current", "true");
      const bar = link.closest("ul");
      bar.scrollLeft = link.offsetLeft - (bar.clientWidth - link.offsetWidth) / 2;
    } else if (link !== current) link.removeAttribute("aria-current");
  }
};
addEventListener("scroll", mark, { passive: true });
addEventListener("resize", mark);
mark();
