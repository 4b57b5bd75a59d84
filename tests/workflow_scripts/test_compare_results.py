"""Comparing the tables of two results folders."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "workflow_scripts" / "compare_results.py"
METRICS = "method,metric,value\nddpm,dice,0.5\nddpm,seconds,3.0\n"


def compared(before: Path, after: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, SCRIPT, before, after, *options], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("before", "after"):
        (tmp_path / name / "tables").mkdir(parents=True)
        (tmp_path / name / "tables" / "metrics.csv").write_text(METRICS)
    return tmp_path / "before", tmp_path / "after"


def test_equal_folders_are_equal(folders: tuple[Path, Path]) -> None:
    assert compared(*folders) == (0, "1 of 1 tables are equal but for 0 cells of time and memory\n")


def test_seconds_are_counted_not_compared(folders: tuple[Path, Path]) -> None:
    (folders[1] / "tables" / "metrics.csv").write_text(METRICS.replace("3.0", "4.0"))
    (folders[0] / "history.csv").write_text("step,slices_per_s\n1,5\n")
    (folders[1] / "history.csv").write_text("step,slices_per_s\n1,6\n")
    assert compared(*folders) == (0, "2 of 2 tables are equal but for 2 cells of time and memory\n")


def test_other_value_is_named(folders: tuple[Path, Path]) -> None:
    (folders[1] / "tables" / "metrics.csv").write_text(METRICS.replace("0.5", "0.5000001"))
    status, said = compared(*folders)
    assert status == 1 and "tables/metrics.csv: line 2, value: '0.5' and '0.5000001'" in said
    assert compared(*folders, "--tolerance", "1e-6")[0] == 0


def test_missing_table_and_missing_row_are_named(folders: tuple[Path, Path]) -> None:
    (folders[0] / "extra.tsv").write_text("a\tb\n")
    (folders[1] / "tables" / "metrics.csv").write_text("method,metric,value\nddpm,dice,0.5\n")
    status, said = compared(*folders)
    assert status == 1 and "extra.tsv: only in" in said and "3 and 2 rows" in said


def test_folder_without_tables_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    status, said = compared(folders[0], tmp_path / "empty")
    assert status == 2 and "no table below it" in said
