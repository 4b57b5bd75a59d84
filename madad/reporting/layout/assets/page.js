// The page: the viewer is made when it comes into sight or is asked for; names of methods in tables open it.
"use strict";

const stored = document.getElementById("volumes");
const { sets, colours } = stored ? JSON.parse(stored.textContent) : { sets: [], colours: [] };
let viewer = null;

function look() {
  if (!viewer) viewer = new Viewer(document.querySelector(".viewer"), sets, colours);
  return viewer;
}

// Show a method on a test set, beside the method that was shown on the right, or a case under both methods that were shown.
async function show(set, { method, name } = {}) {
  const made = look();
  await made.ready;
  const [left, right] = made.panes.map((pane) => pane.method.value);
  await made.open(set, [method ?? left, right], name);
  document.getElementById("viewer").scrollIntoView();
  made.root.focus({ preventScroll: true });
}

function link(body, set, names) {
  for (const row of body.rows) {
    const cell = row.cells[0], name = cell.textContent.trim().split(" ")[0];
    if (!names.includes(name)) continue;
    const button = Object.assign(document.createElement("button"), { className: "look", type: "button", textContent: cell.textContent.trim() });
    button.title = `Look at the maps of ${name}`;
    button.onclick = () => show(set, { method: name });
    cell.replaceChildren(button);
  }
}

// Links to cases, #look/<number of the test set>/<name of the case>, from galleries and tables; #image/<name> from the page of images.
function follow() {
  const [kind, first, second] = decodeURIComponent(location.hash).split("/");
  if (kind === "#look" && sets[first]) show(Number(first), { name: second });
  if (kind === "#image") followImage(first);
}

// An image that the viewer shows, or else its row in the quality table.
function followImage(name) {
  const set = sets.findIndex((one) => one.cases.some((shown) => shown.name === name));
  if (set >= 0) {
    show(set, { name });
    return;
  }
  const row = [...document.querySelectorAll("#quality tbody tr")].find((one) => one.cells[0].textContent.trim() === name);
  if (!row) return;
  const details = row.closest("details");
  if (details) details.open = true;
  row.classList.add("sought");
  row.scrollIntoView({ block: "center" });
}

// Images of the quality table that the viewer shows.
function linkCases(table) {
  const cases = new Map(sets.flatMap((one, set) => one.cases.map(({ name }) => [name, `#look/${set}/${encodeURIComponent(name)}`])));
  for (const cell of [...table.querySelectorAll("tbody td:first-child")].filter((one) => cases.has(one.textContent.trim()))) {
    const name = cell.textContent.trim();
    cell.replaceChildren(Object.assign(document.createElement("a"), { href: cases.get(name), textContent: name, title: `Look at ${name}` }));
  }
}

document.querySelectorAll("#quality table").forEach(linkCases);
window.addEventListener("hashchange", follow);
follow();
if (stored) {
  for (const heading of document.querySelectorAll("figure tbody.heading")) {
    const text = heading.textContent.trim();
    const set = sets.findIndex((one) => text === one.title || text.startsWith(`${one.title} (`));
    if (set >= 0 && heading.nextElementSibling) link(heading.nextElementSibling, set, sets[set].methods.map((one) => one.name));
  }
  new IntersectionObserver((seen, watcher) => {
    if (seen.some((one) => one.isIntersecting)) {
      watcher.disconnect();
      look();
    }
  }).observe(document.getElementById("viewer"));
}

// On paper nothing can be opened.
window.addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details:not(.long)")) one.open = true;
});
