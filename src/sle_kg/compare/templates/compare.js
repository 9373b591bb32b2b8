"use strict";
// Shows the trials, kinds of rows and words that the form asks for; works on the page alone.
const form = document.querySelector("form");
const chosen = (name) => new Set([...form.querySelectorAll(`input[name=${name}]:checked`)].map((box) => box.value));
function filter() {
  const trials = chosen("trial");
  const kinds = chosen("kind");
  const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const cell of document.querySelectorAll("[data-trial]")) cell.hidden = !trials.has(cell.dataset.trial);
  let shown = 0;
  for (const line of document.querySelectorAll("tbody tr")) {
    const about = line.querySelector("th").textContent.toLowerCase();
    let entries = 0;
    for (const entry of line.querySelectorAll(".entry")) {
      const text = `${about} ${entry.textContent.toLowerCase()}`;
      const fits = (!entry.dataset.kind || kinds.has(entry.dataset.kind)) && words.every((word) => text.includes(word));
      entry.hidden = !fits;
      if (fits && !entry.closest("td").hidden) entries += 1;
    }
    line.hidden = entries === 0;
    shown += entries;
  }
  document.querySelector("output").textContent = `${shown} entries shown`;
}
form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
filter();
