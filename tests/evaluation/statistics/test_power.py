"""How many subjects a difference needs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from madad.evaluation.statistics.power import MOST_SUBJECTS, detectable_difference, subjects_needed


def spread(number: int) -> np.ndarray:
    """Values with standard deviation 1."""
    values = np.linspace(-1, 1, number)
    return values / values.std(ddof=1)


@pytest.mark.parametrize("difference", [2.0, 0.7, 0.35, 0.1])
def test_the_fewest_subjects_that_detect_a_difference(difference: float) -> None:
    number = subjects_needed(difference, 1.0)
    assert number is not None and subjects_needed(-difference, 1.0) == number
    assert detectable_difference(spread(number)) <= difference
    assert number == 6 or detectable_difference(spread(number - 1)) > difference


@pytest.mark.parametrize(("difference", "deviation"), [(0.0, 1.0), (math.nan, 1.0), (0.1, math.nan), (1e-6, 1.0)])
def test_no_number_where_none_would_do(difference: float, deviation: float) -> None:
    assert subjects_needed(difference, deviation) is None


def test_six_subjects_are_the_fewest_and_there_is_a_limit() -> None:
    assert subjects_needed(1.0, 0.0) == 6
    assert 1000 < (subjects_needed(0.05, 1.0) or 0) < MOST_SUBJECTS
