"""The page as a reader meets it: in a browser, by keyboard, on paper. Skipped where Chromium is not installed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from madad.evaluation.results.long_table import read
from madad.reporting.layout import table_writer
from madad.reporting.layout.table_writer import Cell, Column, Table, interval
from madad.reporting.page import index
from madad.reporting.viewer.volumes import write_volumes
from tests.reporting.page import browser
from tests.reporting.page.test_index import STORY
from tests.reporting.toy_results import METHODS, OPTIONS

pytestmark = pytest.mark.slow
SCORING = {key: OPTIONS[key] for key in ("erosion", "median", "min_component")}
COLUMNS = 14  # of a table wider than a sheet of paper


@pytest.fixture(scope="module")
def page(toy, tmp_path_factory) -> Path:
    """A page with a table, a wide one, a figure and volumes."""
    browser.command()
    root = tmp_path_factory.mktemp("page") / "results"
    for folder in ("tables", "figures", "report"):
        (root / folder).mkdir(parents=True)
    runs = [run for run in toy.made.evaluations() if (run["testset"], run["seed"]) == ("phantom", "0")]
    maps, tables = ([toy.made.evaluation(name, **run) for run in runs] for name in ("maps.h5", "metrics.tsv"))
    write_volumes(maps, tables, toy.made.packs("phantom"), SCORING, root / "volumes.json")
    title = json.loads((root / "volumes.json").read_text())["title"]
    for name, columns in (("headline", 2), ("protocols", COLUMNS)):
        titles = [Column("Method", number=False), *(Column(f"Dice {place} ↑", "a note") for place in range(columns))]
        rows = [[Cell(method), *(interval(0.5, 0.4, 0.6) for _ in range(columns))] for method in METHODS]
        table_writer.write_html(Table(name, titles, [(title, rows)], ["a note"]), root / f"tables/{name}.html")
    plt.imsave(root / "figures/comparison.png", [[0.0, 1.0], [1.0, 0.0]])
    tall = root / "figures/mean_maps_phantom_T1w_phantom.png"
    plt.imsave(tall, [[0.0, 1.0]] * 4)
    (root / "report/story.json").write_text(json.dumps(STORY))
    shown = [root / "tables/headline.html", root / "tables/protocols.html", root / "figures/comparison.png", tall]
    (root / "report/methods.md").write_text("# Methods")
    index.write_index(
        root / "report/story.json", root / "report/methods.md", shown, [root / "volumes.json"], root / "report/index.html"
    )
    return root / "report/index.html"


def test_nothing_is_asked_of_a_network(page: Path) -> None:
    script = """await look().ready; return performance.getEntriesByType("resource").map((one) => one.name.slice(0, 60));"""
    assert not [name for name in browser.evaluate(page, script) if not name.startswith(("data:", "blob:"))]


@pytest.mark.parametrize("width", [800, 1280, 1920])
def test_nothing_runs_off_the_window(page: Path, width: int) -> None:
    script = "await look().ready; return [document.documentElement.scrollWidth, document.documentElement.clientWidth];"
    needed, there = browser.evaluate(page, script, width)
    assert needed <= there == width


def test_axe_finds_no_violation(page: Path) -> None:
    script = """await look().ready; document.querySelectorAll("details").forEach((one) => { one.open = true; });
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map((one) => [one.id, one.nodes.slice(0, 3).map((node) => node.html)]);"""
    assert browser.evaluate(page, script, library=browser.axe()) == []


def test_dice_in_the_viewer_is_that_of_the_tables(page: Path, toy) -> None:
    script = """const one = look(); await one.ready; const found = [];
    for (const { name } of one.set.cases) for (const method of one.set.methods) {
      await one.open(0, [method.name, method.name], name);
      found.push([name, method.name, one.panes[0].element.querySelector(".count").textContent]);
    }
    return found;"""
    shown = browser.evaluate(page, script)
    runs = [run for run in toy.made.evaluations() if (run["testset"], run["seed"]) == ("phantom", "0")]
    known = {
        (row["sample"], run["method"]): float(row["value"])
        for run in runs
        for row in read(toy.made.evaluation("metrics.tsv", **run))
        if (row["metric"], row["protocol"]) == ("dice", "validation")
    }
    said = {(name, method): re.search(r"Dice (\d\.\d+)", text) for name, method, text in shown}
    compared = [(float(found.group(1)), known[key]) for key, found in said.items() if found]
    assert len(compared) >= len(METHODS) and all(ours == pytest.approx(theirs, abs=0.001) for ours, theirs in compared)


def test_the_viewer_is_used_by_keyboard(page: Path) -> None:
    script = """const one = look(); await one.ready; one.root.focus();
    const press = (key) => one.root.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    const state = () => [...one.at, one.panes[0].level, one.shown.map];
    one.at = [1, 5, 5]; one.draw(); const before = state();
    ["PageUp", "ArrowUp", "ArrowRight", "+", "m"].forEach(press);
    const after = state(); press("t");
    return [before, after, one.panes[0].level];"""
    before, after, level = browser.evaluate(page, script)
    assert after == [2, 6, 6, before[3] + 1, False] and level == before[3]


def test_a_link_opens_a_case_and_a_row_a_method(page: Path) -> None:
    script = """const one = look(); await one.ready; const wanted = one.set.cases.at(-1).name;
    location.hash = `#look/0/${wanted}`; await new Promise((done) => setTimeout(done, 500));
    const opened = one.case.name;
    const row = [...document.querySelectorAll("#headline button.look")].at(-1);
    row.click(); await new Promise((done) => setTimeout(done, 500));
    return [wanted, opened, row.textContent, one.panes[0].method.value];"""
    wanted, opened, name, method = browser.evaluate(page, script)
    assert wanted == opened and name == method == list(METHODS)[-1]


def test_the_whole_page_is_printed(page: Path) -> None:
    text = browser.printed(page)
    for heading in ("Which method finds lesions best?", "Main result", "Tables", "What numbers mean"):
        assert heading in text
    # every column of the table that is wider than a sheet
    assert all(re.search(rf"Dice\s+{place}\b", text) for place in range(COLUMNS))
    assert text.count("0.500 [0.400, 0.600]") == len(METHODS) * (2 + COLUMNS)
    # the heading of a section is on the sheet of its first figure
    assert "Anomaly maps" in next(sheet for sheet in text.split("\f") if "mean over healthy subjects" in sheet)
