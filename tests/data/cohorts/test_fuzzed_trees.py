"""No random folder leads to a silent wrong group (`python -m tests.data.cohorts.fuzzed_trees 2000` tries many more)."""

from __future__ import annotations

from collections import Counter

from tests.data.cohorts.fuzzed_trees import fuzz


def test_no_folder_is_read_wrongly() -> None:
    counts = [fuzz(seed) for seed in range(5000, 5040)]
    assert not [(seed, dict(one)) for seed, one in enumerate(counts, 5000) if any(key.startswith("wrong") for key in one)]
    total = sum(counts, Counter())
    assert min(total["right"], total["unknown"], total["refused"], total["read"]) > 3
