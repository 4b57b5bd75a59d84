"""The page on large studies states costs that follow from the measured rates that it states."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.study_cost import HOUR, Rates, costs

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "scale.md"


def test_cost_of_a_large_study_follows_from_measured_rates() -> None:
    text = PAGE.read_text()
    subjects, methods, seeds, mapped = (
        float(each.replace(",", ""))
        for each in re.search(r"([\d,]+) subjects, (\d+) methods, (\d+) seeds, (\d+)% mapped", text).groups()
    )
    rows = {stage: re.search(rf"^\| {stage} \| (.+) \| ([\d.]+) \|$", text, re.M).groups() for stage in costs_of()}
    image, seed, volume, start = (float(each) for stage in rows for each in re.findall(r"[\d.]+(?= an? )", rows[stage][0]))
    found = costs(Rates(image, seed, start, volume, int(methods), 0.0), int(subjects), int(seeds), mapped / 100)
    for stage, (_, stated) in rows.items():
        assert found[stage] / HOUR == pytest.approx(float(stated), abs=0.2)


def costs_of() -> list[str]:
    return list(costs(Rates(0, 0, 0, 0, 0, 0), 0, 0, 0))
