"""How the cohorts were understood: the lines that every run prints first, as a page of the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from madad.data.cohorts.finding import summary
from madad.reporting.layout import table_writer
from madad.reporting.layout.table_writer import Cell, Column, Table

NOTE = (
    "What was read of every cohort, and by which evidence a subject counts as healthy or as a patient. Nobody of unknown group "
    "is used."
)


def write_cohorts(summaries: Sequence[Path], csv: Path, html: Path) -> None:
    """Write a table with one group of rows for every cohort: its subjects, splits, sequences, masks, and what was not used.

    Args:
        summaries: `results/cohorts/{cohort}/summary.json`.
        csv: the table as text.
        html: the table as a page.
    """
    groups = []
    for path in map(Path, summaries):
        found, name = json.loads(path.read_text(encoding="utf-8")), path.parent.name
        rows = [[Cell(title), Cell(text, state=_state(title))] for title, text in summary.aspects(name, found)]
        groups.append((f"{name}: {found['root']}", rows))
    columns = [Column("What", number=False), Column("Understood", number=False)]
    made = Table("Cohorts as they were understood", columns, groups, [NOTE], group_title="Cohort")
    table_writer.write_csv(made, csv)
    table_writer.write_html(made, html)


def _state(title: str) -> str:
    return "doubtful" if title == "note" else ""
