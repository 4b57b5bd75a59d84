"""The report is made without a network, opens without one, and shows what it promises."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.workflow.conftest import Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("finished")]

CATEGORIES = (
    "1 Headline",
    "2 Tables",
    "3 Detection",
    "4 Statistics",
    "5 Anomaly maps",
    "6 Training",
    "7 Cost",
    "8 Data and checks",
)


def offline() -> list[str]:
    """Command that takes the network away, where this machine allows that."""
    tool = shutil.which("unshare")
    if not tool or subprocess.run([tool, "-n", "true"], capture_output=True, check=False).returncode:
        return []
    return [tool, "-n"]


@pytest.fixture(scope="module")
def report(finished: Project) -> str:
    command = [*offline(), *finished.command("--report", "report.html"), "--config", "preset=smoke"]
    done = subprocess.run(command, cwd=finished.folder, env=finished.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return (finished.folder / "report.html").read_text()


def test_nothing_is_loaded_from_outside(report: str) -> None:
    assert not re.search(r"<(script|img|link)[^>]+(src|href)=[\"']https?://", report)
    assert not re.search(r"@import\s+(url\()?[\"']?https?://", report)


def test_it_can_be_mailed(report: str) -> None:
    assert len(report) < 40e6


def test_all_categories_are_there(report: str) -> None:
    assert all(category in report for category in CATEGORIES)


def test_first_page_shows_the_headline_table_and_the_versions(report: str) -> None:
    start = report.index("madad: unsupervised anomaly detection")
    first = report[start : report.index('<script id="results">', start)]
    for word in ("AUPRC", "Dice, validation", "intensity", "ddpm", "phantom-implanted", "snakemake"):
        assert word in first


def test_pages_inside_are_small(finished: Project) -> None:
    pages = list((finished.folder / "results/tables").glob("*.html"))
    assert pages and all(page.stat().st_size < 1e6 for page in pages)
