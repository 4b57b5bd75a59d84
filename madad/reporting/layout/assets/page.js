// The page: the viewer is made when it comes into sight or is asked for; names of methods in tables open it.
"use strict";

const stored = document.getElementById("volumes");
const { sets, colours } = stored ? JSON.parse(stored.textContent) : { sets: [], colours: [] };
let viewer = null;

function look() {
  if (!viewer) viewer = new Viewer(document.querySelector(".viewer"), sets, colours);
  return viewer;
}

// Show a method on a test set, beside the method that was shown on the right.
async function show(set, method) {
  const made = look();
  await made.ready;
  await made.open(set, [method, made.panes[1].method.value]);
  document.getElementById("viewer").scrollIntoView();
  made.root.focus({ preventScroll: true });
}

function link(body, set, names) {
  for (const row of body.rows) {
    const cell = row.cells[0], name = cell.textContent.trim().split(" ")[0];
    if (!names.includes(name)) continue;
    const button = Object.assign(document.createElement("button"), { className: "look", type: "button", textContent: cell.textContent.trim() });
    button.title = `Look at the maps of ${name}`;
    button.onclick = () => show(set, name);
    cell.replaceChildren(button);
  }
}

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
