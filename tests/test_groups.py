"""The suite itself: tests that share an expensive outcome run in one process, or it is made twice."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

GROUPED = """
import pytest

@pytest.mark.xdist_group("shared")
@pytest.mark.parametrize("number", range(4))
def test_it(number): ...
"""


def test_a_group_stays_on_one_worker(tmp_path: Path) -> None:
    for name in ("test_first.py", "test_second.py"):
        (tmp_path / name).write_text(GROUPED)
    command = [sys.executable, "-m", "pytest", "-v", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider", "."]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    workers = re.findall(r"^\[(gw\d)\].*PASSED", told, re.M)
    assert len(workers) == 8 and len(set(workers)) == 1, told
