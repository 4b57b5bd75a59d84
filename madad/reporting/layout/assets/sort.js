// Sort the rows of every group of a table by the clicked column: numbers by value, texts by name, what is missing always last.
"use strict";

function compare(first, second, direction) {
  if (first === "" || second === "") return (first === "") - (second === "");
  const [a, b] = [Number(first), Number(second)];
  const order = Number.isNaN(a) || Number.isNaN(b) ? first.localeCompare(second, undefined, { numeric: true }) : a - b;
  return direction * order;
}

function sortBy(head, heads, table) {
  const column = head.cellIndex;
  const numeric = head.classList.contains("number");
  const was = head.getAttribute("aria-sort");
  // The first click shows the best numbers, or texts from A to Z.
  const falling = was === "none" ? numeric : was === "ascending";
  heads.forEach((other) => other.setAttribute("aria-sort", "none"));
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  for (const body of table.querySelectorAll("tbody:not(.heading)")) {
    const key = (row) => row.cells[column].dataset.key;
    const rows = [...body.rows].sort((a, b) => compare(key(a), key(b), falling ? -1 : 1));
    body.append(...rows);
  }
}

for (const table of document.querySelectorAll("table")) {
  const heads = [...table.querySelectorAll("thead th[aria-sort]")];
  for (const head of heads) {
    head.addEventListener("click", () => sortBy(head, heads, table));
    head.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        sortBy(head, heads, table);
      }
    });
  }
}
