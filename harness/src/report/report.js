"use strict";
(() => {
  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const of = document.getElementById(button.dataset.copies);
      try {
        await navigator.clipboard.writeText(of.textContent);
        button.textContent = "Copied";
      } catch {
        // A browser may refuse it to a local file: then the text is selected, to be copied by hand.
        getSelection().selectAllChildren(of);
        button.textContent = "Selected";
      }
    });
  }
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
  const search = document.getElementById("search"), outcome = document.getElementById("outcome"), kind = document.getElementById("kind");
  const fresh = document.getElementById("new");
  const count = document.getElementById("shown"), groups = [...document.querySelectorAll("details.findings")];
  if (!search) return;
  const tiles = [...document.querySelectorAll("button.tile")];
  const rows = groups.flatMap((group) => [...group.querySelectorAll("tbody tr")].map((row) => ({ row, group, text: row.textContent.toLowerCase() })));
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean), wanted = outcome.value;
    const shown = new Map();
    let all = 0;
    for (const { row, group, text } of rows) {
      const yes = words.every((word) => text.includes(word)) && (!wanted || row.dataset.outcome === wanted)
        && (!kind.value || group.dataset.kind === kind.value) && (!fresh?.checked || row.classList.contains("new"));
      row.hidden = !yes;
      if (yes) { all += 1; shown.set(group, (shown.get(group) || 0) + 1); }
    }
    for (const group of groups) {
      const n = shown.get(group) || 0;
      group.hidden = n === 0;
      group.querySelector(".count").textContent = n;
      if (words.length > 0 && n > 0) group.open = true;
    }
    for (const tile of tiles) tile.setAttribute("aria-pressed", String(tile.dataset.outcome === wanted));
    count.textContent = `${all} of ${rows.length} shown`;
  };
  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 80); });
  outcome.addEventListener("change", filter);
  kind.addEventListener("change", filter);
  fresh?.addEventListener("change", filter);
  for (const tile of tiles) {
    tile.addEventListener("click", () => {
      outcome.value = outcome.value === tile.dataset.outcome ? "" : tile.dataset.outcome;
      filter();
    });
  }
  document.getElementById("expand").addEventListener("click", () => groups.forEach((group) => { group.open = true; }));
  document.getElementById("collapse").addEventListener("click", () => groups.forEach((group) => { group.open = false; }));
  // A link to a group shows what is in it.
  const linked = () => {
    const group = document.getElementById(location.hash.slice(1));
    if (groups.includes(group)) { group.open = true; group.scrollIntoView(); }
  };
  window.addEventListener("hashchange", linked);
  filter();
  linked();
})();
