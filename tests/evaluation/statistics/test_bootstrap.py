from __future__ import annotations

import numpy as np
import pytest

from madad.evaluation.statistics.bootstrap import (
    hierarchical_interval,
    mean_interval,
    percentile_interval,
    resampled_means,
    weights,
)

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


def seeds_of(number: int, subjects: int, spread: float, seed: int = 0) -> np.ndarray:
    """Values (seeds, N) with an effect of subjects, of seeds (SD `spread`) and of both together."""
    generator = GENERATOR(seed)
    shifts = spread * generator.normal(size=(number, 1))
    return 1 + generator.normal(size=subjects) + shifts + 0.1 * generator.normal(size=(number, subjects))


def test_one_seed_gives_the_interval_over_subjects() -> None:
    values = GENERATOR(2).random((1, 12))
    expected = mean_interval(values[0], names(12), 300, GENERATOR(5))
    assert hierarchical_interval(values, names(12), 300, GENERATOR(5)) == expected


def test_seeds_that_agree_add_nothing() -> None:
    values = GENERATOR(2).exponential(size=40)
    alone = mean_interval(values, names(40), 8000, GENERATOR(0))
    tripled = hierarchical_interval(np.stack([values] * 3), names(40), 8000, GENERATOR(1))
    assert (tripled.low, tripled.value, tripled.high) == pytest.approx((alone.low, alone.value, alone.high), rel=0.03)


@pytest.mark.parametrize("number", [2, 3, 5])
def test_variance_is_that_of_subjects_plus_that_of_seeds(number: int) -> None:
    values = seeds_of(number, 40, 0.5)
    interval = hierarchical_interval(values, names(40), 8000, GENERATOR(0))
    expected = values.mean(axis=0).var() / 40 + values.mean(axis=1).var(ddof=1) / number
    drawn = resampled_means([values], 20000, GENERATOR(0))
    assert drawn.var() == pytest.approx(expected, rel=0.06)
    subjects_alone = mean_interval(values.mean(axis=0), names(40), 8000, GENERATOR(0))
    assert interval.high - interval.low > subjects_alone.high - subjects_alone.low


def test_hierarchical_interval_covers_the_truth_more_often_than_one_over_subjects() -> None:
    made = [seeds_of(3, 20, 0.4, seed) for seed in range(150)]
    both = [hierarchical_interval(values, names(20), 400, GENERATOR(0)) for values in made]
    subjects = [mean_interval(values.mean(axis=0), names(20), 400, GENERATOR(0)) for values in made]
    covered, naive = (np.mean([one.low <= 1 <= one.high for one in intervals]) for intervals in (both, subjects))
    assert covered > 0.85 > naive


def test_samples_of_one_subject_are_drawn_together_under_every_seed() -> None:
    values = seeds_of(3, 10, 0.2)
    once = hierarchical_interval(values, names(10), 800, GENERATOR(0))
    fourfold = hierarchical_interval(np.repeat(values, 4, axis=1), list(np.repeat(names(10), 4)), 800, GENERATOR(0))
    assert (fourfold.value, fourfold.low, fourfold.high) == pytest.approx((once.value, once.low, once.high))
    assert fourfold.subjects == 10


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.zeros((2, 0)), (np.nan, np.nan, 0, 0)),
        (np.array([[0.2], [0.4]]), (0.3, np.nan, 1, 0)),
        (np.full((3, 5), 0.4), (0.4, 0.4, 5, 0)),
        (np.array([[0.1, np.nan, 0.3], [0.1, 0.2, 0.3]]), (0.2, 0.1, 2, 1)),
        (np.full((2, 3), np.nan), (np.nan, np.nan, 0, 3)),
    ],
)
def test_degenerate_seeds_are_declared(values: np.ndarray, expected: tuple) -> None:
    interval = hierarchical_interval(values, names(values.shape[1]), 400, GENERATOR(0))
    assert (interval.value, interval.low, interval.subjects, interval.missing) == pytest.approx(expected, nan_ok=True)


def test_seeds_that_disagree_do_not_push_a_share_below_zero() -> None:
    interval = hierarchical_interval(np.array([[0.0, 0.01, 0.0], [0.5, 0.6, 0.4]]), names(3), 500, GENERATOR(0))
    assert interval.low >= 0


def test_hierarchical_interval_leans_to_the_longer_tail() -> None:
    values = np.exp(GENERATOR(1).normal(size=30)) + np.array([[0.0], [0.01], [-0.01]])
    interval = hierarchical_interval(values, names(30), 4000, GENERATOR(0))
    assert interval.high - interval.value > 1.2 * (interval.value - interval.low)


def test_equal_methods_are_equal_in_every_resample() -> None:
    values = [seeds_of(3, 13, 0.3), seeds_of(1, 13, 0.0, 1)]
    drawn = resampled_means([values[0], values[1], values[0]], 200, GENERATOR(0))
    assert drawn.shape == (200, 3)
    assert (drawn[:, 0] == drawn[:, 2]).all()
    assert (resampled_means([values[1], values[0]], 200, GENERATOR(0)) == drawn[:, [1, 0]]).all()


def test_resampled_means_are_paired() -> None:
    values = seeds_of(1, 50, 0.0)
    drawn = resampled_means([values, values + 0.3], 200, GENERATOR(0))
    assert np.ptp(drawn[:, 1] - drawn[:, 0]) < 1e-9 < 0.1 < np.ptp(drawn[:, 0])
