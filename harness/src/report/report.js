"use strict";
(() => {
  const search = document.getElementById("search"), outcome = document.getElementById("outcome");
  const count = document.getElementById("shown"), groups = [...document.querySelectorAll("details.findings")];
  if (!search) return;
  const rows = groups.flatMap((group) => [...group.querySelectorAll("tbody tr")].map((row) => ({ row, group, text: row.textContent.toLowerCase() })));
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean), wanted = outcome.value;
    const shown = new Map();
    let all = 0;
    for (const { row, group, text } of rows) {
      const yes = words.every((word) => text.includes(word)) && (!wanted || row.dataset.outcome === wanted);
      row.hidden = !yes;
      if (yes) { all += 1; shown.set(group, (shown.get(group) || 0) + 1); }
    }
    for (const group of groups) {
      const n = shown.get(group) || 0;
      group.hidden = n === 0;
      group.querySelector(".count").textContent = n;
      if (words.length > 0 && n > 0) group.open = true;
    }
    count.textContent = `${all} of ${rows.length} shown`;
  };
  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 80); });
  outcome.addEventListener("change", filter);
  document.getElementById("expand").addEventListener("click", () => groups.forEach((group) => { group.open = true; }));
  document.getElementById("collapse").addEventListener("click", () => groups.forEach((group) => { group.open = false; }));
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
  filter();
})();
