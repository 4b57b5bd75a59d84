"""Every row of the report is a rule; a figure of one's own needs its function and its row."""

from __future__ import annotations

import pytest

from madad.reporting.deliverables.registry import DELIVERABLES
from tests.workflow.conftest import Project

pytestmark = pytest.mark.slow

FUNCTION = '''"""A figure of one's own."""

from pathlib import Path

from madad.reporting.layout import style


def draw_mine(summary: Path, resamples: int, png: Path, pdf: Path) -> None:
    """Write how many lines the summary has."""
    lines = len(Path(summary).read_text().splitlines())
    style.save(style.empty(f"{lines} lines, {resamples} resamples"), png, pdf)
    print("drawn")
'''
ROW = """    Deliverable(
        "mine",
        "A figure of one's own.",
        "madad.reporting.figures.mine:draw_mine",
        inputs=("summary",),
        options=("resamples",),
        outputs=figure("mine", {"Result": "Mine"}, "froc"),
        section="Detection",
    ),
)
"""


def test_every_row_is_a_rule_with_its_docstring(project: Project) -> None:
    listed = project.run("--list-rules").stdout
    assert not [row.name for row in DELIVERABLES if f"{row.name} ({row.about})" not in listed]


def test_a_figure_needs_its_function_and_its_row(project: Project) -> None:
    package = project.folder / "madad/reporting"
    (package / "figures/mine.py").write_text(FUNCTION)
    rows = package / "deliverables/figures.py"
    rows.write_text(rows.read_text().removesuffix(")\n") + ROW)
    summary = project.folder / "results/tables/summary.csv"
    summary.parent.mkdir(parents=True)
    summary.write_text("a\nb\n")
    assert project.jobs()["mine"] == 1
    done = project.run("--cores", "1", "mine", "--allowed-rules", "mine")
    assert done.returncode == 0, done.stdout
    assert (project.folder / "results/figures/mine.png").read_bytes().startswith(b"\x89PNG")
    assert (project.folder / "results/figures/mine.pdf").exists()
    assert (project.folder / "results/logs/mine.log").exists()
