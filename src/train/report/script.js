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
    show("lift", `${Number.isFinite(lift) ? lift.toFixed(2) : "–"}×`);
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
// Horizons: one panel at a time.
const tabs = [...document.querySelectorAll("[role=tab]")];
if (tabs.length > 0) {
  const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));
  const choose = (chosen) => {
    for (const tab of tabs) {
      const own = tab === chosen;
      tab.setAttribute("aria-selected", String(own));
      tab.tabIndex = own ? 0 : -1;
      panelOf(tab).hidden = !own;
    }
  };
  for (const [position, tab] of tabs.entries()) {
    panelOf(tab).setAttribute("role", "tabpanel");
    panelOf(tab).setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(position + step + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  }
  document.querySelector(".tabs").hidden = false;
  choose(tabs[0]);
}
