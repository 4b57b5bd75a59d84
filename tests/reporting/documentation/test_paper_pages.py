"""The pages of papers: up to date, complete, and with the values of a run where there are some."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from madad.reporting.documentation.paper_pages import FOLDER, STUDIES, every, read
from madad.reporting.reproduction import papers
from madad.reporting.reproduction.ledger import COLUMNS
from tests.paper_studies import FOLDER as STUDY_FILES

PAGES = every({})


@pytest.mark.parametrize("name", PAGES)
def test_page_is_up_to_date(name: str) -> None:
    """Written by `python -m madad.reporting.documentation.paper_pages`."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]


def test_every_study_of_a_paper_has_its_page_and_the_reverse() -> None:
    assert {path.name for path in FOLDER.glob("*.md")} == set(PAGES)
    assert {path.stem for path in STUDY_FILES.glob("*.yaml")} == {*STUDIES.values(), "soop", "ixi"}


def test_every_empty_cell_says_what_it_waits_for() -> None:
    for name, text in PAGES.items():
        for table in text.split("\n## ")[1:]:
            cells = {cell.strip() for line in table.splitlines() if line.startswith("|") for cell in line.split("|")}
            letters = {cell for cell in cells if cell.startswith("(")}
            assert all(f"* {letter} waits for " in table for letter in letters), name
            assert letters or "| ---" not in table


def test_values_of_a_run_stand_beside_the_published_ones(tmp_path: Path) -> None:
    paper = next(one for one in papers.load() if one["name"] == "mDDPM")
    row, column = paper["tables"][0]["rows"][0], paper["tables"][0]["columns"][0]
    line = {key: column[key] or "" for key in ("dataset", "subset", "modality", "metric")}
    line |= {"paper": "mDDPM", "table": paper["tables"][0]["name"], "method": row["name"], "published": "30.57"}
    line |= {"value": "31.234", "low": "29.5", "high": "33", "exact": "1"}
    with open(tmp_path / "ledger.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="")
        writer.writeheader()
        writer.writerow(line)
    text = every(read([tmp_path / "ledger.csv"]))["mddpm.md"]
    assert "| VAE | 30.57 ± 1.67 | 31.23 [29.50, 33.00] |" in text
