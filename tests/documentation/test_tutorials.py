"""Every tutorial runs from its first cell to its last, in an empty folder; its cells assert what its text says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = sorted(path for path in (ROOT / "docs/tutorials").glob("*.md") if path.name != "index.md")
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.M | re.S)
SHELL = """
import subprocess

def shell(line):
    subprocess.run(["bash", "-o", "pipefail", "-c", line], check=True)
"""


def script(page: Path) -> str:
    """Return the cells of a notebook as a program; a line that begins with `!` is a command, which must succeed."""
    cells = CELL.findall(page.read_text())
    return SHELL + "\n".join(re.sub(r"^!(.*)$", lambda line: f"shell({line[1]!r})", cell, flags=re.M) for cell in cells)


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_runs_from_the_first_cell_to_the_last(page: Path, tmp_path: Path) -> None:
    (tmp_path / "tutorial.py").write_text(script(page))
    surroundings = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}
    surroundings["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{surroundings['PATH']}"
    command = [sys.executable, "tutorial.py"]
    done = subprocess.run(command, cwd=tmp_path, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-6000:]


def test_there_are_six_tutorials_and_each_asserts_something() -> None:
    assert len(TUTORIALS) == 6
    assert all(re.search(r"^assert ", script(page), re.M) for page in TUTORIALS)
