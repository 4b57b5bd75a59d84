from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from madad.data.preprocessing import peak_memory

# A process of its own: one that has run other tests may hand out memory it already holds, and its peak does not move.
PEAKS = """
from madad.data.preprocessing import peak_memory
peak_memory.forget_peak()
before = peak_memory.peak_mb()
block = b"x" * (60 * 2**20)
del block
gone = peak_memory.peak_mb()
peak_memory.forget_peak()
print(before, gone, peak_memory.peak_mb())
"""


def test_the_peak_counts_what_is_gone_and_can_be_forgotten() -> None:
    if not peak_memory.CLEAR.exists():
        pytest.skip("no Linux")
    printed = subprocess.run([sys.executable, "-c", PEAKS], check=True, capture_output=True, text=True).stdout
    before, gone, forgotten = map(float, printed.split())
    assert gone > before + 50
    assert forgotten < before + 50


def test_elsewhere_the_peak_of_the_whole_process_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak_memory, "STATUS", tmp_path / "none")
    monkeypatch.setattr(peak_memory, "CLEAR", tmp_path / "no" / "folder")
    peak_memory.forget_peak()
    assert peak_memory.peak_mb() > 20
