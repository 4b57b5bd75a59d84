from __future__ import annotations

import numpy as np
import pytest

from madad.evaluation.bootstrap import mean_interval, percentile_interval, weights

GENERATOR = np.random.default_rng


def names(number: int) -> list[str]:
    return [f"sub-{index}" for index in range(number)]


def test_interval_surrounds_the_mean_and_narrows_with_subjects() -> None:
    few, many = (mean_interval(GENERATOR(1).normal(size=n), names(n), 500, GENERATOR(0)) for n in (20, 500))
    assert few.low < few.value < few.high
    assert many.high - many.low < few.high - few.low


def test_interval_covers_the_truth_about_as_often_as_promised() -> None:
    drawn = GENERATOR(3).exponential(size=(150, 30))
    intervals = [mean_interval(values, names(30), 300, GENERATOR(0)) for values in drawn]
    assert 0.85 <= np.mean([one.low <= 1 <= one.high for one in intervals]) <= 1


def test_same_seed_same_interval() -> None:
    values = GENERATOR(2).random(12)
    assert mean_interval(values, names(12), 200, GENERATOR(5)) == mean_interval(values, names(12), 200, GENERATOR(5))


def test_samples_of_one_subject_are_no_new_evidence() -> None:
    values = GENERATOR(4).random(10)
    once = mean_interval(values, names(10), 800, GENERATOR(0))
    fourfold = mean_interval(np.repeat(values, 4), list(np.repeat(names(10), 4)), 800, GENERATOR(0))
    assert (fourfold.low, fourfold.high) == pytest.approx((once.low, once.high))
    assert fourfold.subjects == 10


@pytest.mark.parametrize(
    ("values", "expected"), [([], (np.nan, np.nan, 0)), ([0.4], (0.4, np.nan, 1)), ([0.4] * 5, (0.4, 0.4, 5))]
)
def test_degenerate_samples_are_declared(values: list, expected: tuple) -> None:
    interval = mean_interval(np.array(values), names(len(values)), 200, GENERATOR(0))
    assert (interval.value, interval.low, interval.subjects) == pytest.approx(expected, nan_ok=True)


def test_missing_values_are_counted() -> None:
    interval = mean_interval(np.array([0.1, np.nan, 0.3, 0.2]), names(4), 200, GENERATOR(0))
    assert (interval.subjects, interval.missing) == (3, 1)
    assert interval.value == pytest.approx(0.2)


def test_mostly_zero_values_still_get_finite_bounds() -> None:
    interval = mean_interval(np.array([0.0] * 9 + [0.5]), names(10), 300, GENERATOR(0))
    assert np.isfinite([interval.low, interval.high]).all()


def test_weights_draw_whole_subjects() -> None:
    drawn = weights(["a", "a", "b", "c"], 50, GENERATOR(0))
    assert drawn.shape == (50, 4)
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_percentile_interval_of_a_ratio() -> None:
    values = GENERATOR(1).random(40)
    statistic = lambda drawn: drawn @ values / drawn.sum(axis=1)  # noqa: E731
    interval = percentile_interval(statistic, float(values.mean()), names(40), 500, GENERATOR(0))
    assert interval.low < interval.value < interval.high


def test_percentile_interval_needs_two_subjects() -> None:
    assert np.isnan(percentile_interval(lambda drawn: drawn[:, 0], 0.5, ["a", "a"], 100, GENERATOR(0)).low)
