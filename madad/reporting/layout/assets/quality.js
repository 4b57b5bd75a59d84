// Filter, look through the pictures one by one, and write the lines of the config that exclude what is ticked.
const byId = (id) => document.getElementById(id);
const rows = [...document.querySelector("tbody").rows];
const ticks = rows.map((row) => row.querySelector("input[type=checkbox]"));
const lists = JSON.parse(byId("lists").textContent);
const filters = ["state", "cohort", "split"].map(byId);

function filter() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of rows) {
    const chosen = filters.every((one) => !one.value || row.dataset[one.id].split(" ").includes(one.value));
    row.hidden = !(chosen && words.every((word) => row.dataset.found.includes(word)));
  }
  byId("count").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} subjects`;
}

// Names that YAML would read as something else than text are quoted.
const plainName = (name) => (/^[A-Za-z][\w-]*$/.test(name) ? name : JSON.stringify(name));

function write() {
  const chosen = new Map();
  const subjects = new Set(ticks.map((tick) => `${tick.dataset.cohort} ${tick.dataset.subject}`));
  // What the config lists already and no tick stands for, such as a single session, stays in the lines.
  for (const [cohort, names] of Object.entries(lists.exclude)) {
    chosen.set(cohort, names.filter((name) => !subjects.has(`${cohort} ${name}`)));
  }
  for (const tick of ticks) {
    tick.closest("tr").classList.toggle("ticked", tick.checked);
    if (!tick.checked) continue;
    const { cohort, subject } = tick.dataset;
    chosen.set(cohort, [...(chosen.get(cohort) ?? []), subject]);
  }
  const lines = [...chosen].map(([cohort, names]) => `    ${cohort}: [${[...names].sort().map(plainName).join(", ")}]`);
  byId("yaml").value = ["quality:", "  exclude:", ...lines].join("\n") + "\n";
  byId("chosen").hidden = !lines.length;
}

for (const tick of ticks) {
  tick.checked = (lists.exclude[tick.dataset.cohort] ?? []).includes(tick.dataset.subject);
  tick.addEventListener("change", write);
}
byId("search").addEventListener("input", filter);
filters.forEach((one) => one.addEventListener("change", filter));
document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());

byId("copy").addEventListener("click", async () => {
  byId("yaml").select();
  // Some browsers keep the clipboard from pages that are files.
  await navigator.clipboard?.writeText(byId("yaml").value).catch(() => document.execCommand("copy"));
  byId("copy").textContent = "Copied";
});

const viewer = byId("viewer");
let shown = null;

function show(link) {
  shown = link;
  viewer.querySelector("img").src = link.href;
  viewer.querySelector("img").alt = link.querySelector("img").alt;
  byId("viewer-title").textContent = link.dataset.title;
  byId("viewer-why").textContent = link.dataset.why;
  byId("viewer-tick").checked = link.closest("tr").querySelector("input").checked;
  if (!viewer.open) viewer.showModal();
}

function step(by) {
  const links = [...document.querySelectorAll("tbody tr:not([hidden]) .pictures a")];
  show(links[(links.indexOf(shown) + by + links.length) % links.length]);
}

function tickShown(checked) {
  const tick = shown.closest("tr").querySelector("input");
  byId("viewer-tick").checked = tick.checked = checked;
  write();
}

document.querySelector("tbody").addEventListener("click", (event) => {
  const link = event.target.closest(".pictures a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(link);
});
byId("close").addEventListener("click", () => viewer.close());
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("viewer-tick").addEventListener("change", (event) => tickShown(event.target.checked));
viewer.addEventListener("close", () => shown?.focus());
viewer.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "x") tickShown(!byId("viewer-tick").checked);
});
filter();
write();
