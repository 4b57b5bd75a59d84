"""Nominal 95 % intervals hold the truth in 93 to 97 % of simulated test sets from eight subjects on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import special, stats

from madad.evaluation.metrics.subject_metrics import rank_auroc
from madad.evaluation.metrics.voxel_metrics import average_precision
from madad.evaluation.statistics.intervals import Interval, auroc_interval, jackknife_interval, mean_interval, over_trainings

GENERATOR = np.random.default_rng
Draw = Callable[[np.random.Generator, int], np.ndarray]
# Values of subjects, the scale they are on, and their mean: Dice, AUPRC of faint lesions, Dice with lesions that are missed,
# HD95, volumes, PSNR.
TRUTHS: dict[str, tuple[Draw, str, float]] = {
    "dice": (lambda g, n: g.beta(2, 4, n), "share", 2 / 6),
    "auprc": (lambda g, n: g.beta(0.7, 2, n), "share", 0.7 / 2.7),
    "missed": (lambda g, n: g.beta(2, 3, n) * (g.random(n) > 0.3), "share", 0.7 * 0.4),
    "auroc": (lambda g, n: g.beta(8, 2, n), "share", 0.8),
    "distance": (lambda g, n: g.gamma(3, 1, n), "positive", 3.0),
    "psnr": (lambda g, n: g.normal(30, 3, n), "positive", 30.0),
    "difference": (lambda g, n: g.normal(0.2, 1, n), "real", 0.2),
}


def names(number: int) -> list[str]:
    return [f"sub-{index:03d}" for index in range(number)]


def share(intervals: list[tuple[float, float]], truth: float) -> float:
    return float(np.mean([low <= truth <= high for low, high in intervals]))


@pytest.mark.parametrize("kind", TRUTHS)
@pytest.mark.parametrize("number", [8, 20, 50])
def test_interval_of_a_mean_covers(kind: str, number: int) -> None:
    draw, scale, truth = TRUTHS[kind]
    generator = GENERATOR(number)
    found = [mean_interval(draw(generator, number), names(number), scale) for _ in range(2500)]
    assert 0.93 <= share([(one.low, one.high) for one in found], truth) <= 0.97


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("number", [8, 40])
def test_interval_over_seeds_and_subjects_covers(seeds: int, number: int) -> None:
    generator, found = GENERATOR(seeds), []
    truth = float(special.expit(-0.5 + generator.normal(0, 0.9, 200_000)).mean())
    for _ in range(1500):
        easy, training = generator.normal(0, 0.9, number), generator.normal(0, 0.15, (seeds, 1))
        found.append(mean_interval(special.expit(-0.5 + easy) + 0.2 * training, names(number), "share"))
    assert 0.93 <= share([(one.low, one.high) for one in found], truth) <= 0.975


EDGES = np.linspace(-4, 7, 25)


def voxels(generator: np.random.Generator, subjects: int) -> np.ndarray:
    """Counts (N, 2, groups) of subjects whose lesions differ in size, by a factor of ten and more, and in how they stand out."""
    large, clear, scale = (
        np.exp(generator.normal(4, 0.8, subjects)),
        generator.normal(1.5, 0.6, subjects),
        generator.normal(0, 0.3, subjects),
    )
    shares = [np.diff(stats.norm.cdf(EDGES[None] - shift[:, None]), axis=1) for shift in (scale, scale + clear)]
    return np.stack([generator.poisson(3000 * shares[0]), generator.poisson(large[:, None] * shares[1])], axis=1).astype(float)


def pooled(counts: np.ndarray) -> Interval:
    statistic = lambda weights: average_precision(np.einsum("rn,nxg->rxg", weights, counts))  # noqa: E731
    return jackknife_interval(statistic, names(len(counts)), "share", counts[:, 1].sum(axis=1))


@pytest.mark.parametrize("number", [8, 20, 50])
def test_interval_of_pooled_auprc_covers(number: int) -> None:
    generator = GENERATOR(number)
    truth = float(average_precision(voxels(generator, 40_000).sum(axis=0)[None])[0])
    found = [pooled(voxels(generator, number)) for _ in range(1200)]
    assert 0.93 <= share([(one.low, one.high) for one in found], truth) <= 0.97


@pytest.mark.parametrize(("healthy", "diseased"), [(4, 4), (8, 8), (8, 30)])
@pytest.mark.parametrize("distance", [0.5, 2.5])
def test_interval_of_the_auroc_of_subjects_covers(healthy: int, diseased: int, distance: float) -> None:
    generator, truth, found = GENERATOR(healthy), float(stats.norm.cdf(distance / np.sqrt(2))), []
    for _ in range(600):
        value = rank_auroc(generator.normal(0, 1, healthy), generator.normal(distance, 1, diseased))
        found.append(auroc_interval(value, healthy, diseased))
    assert 0.93 <= share(found, truth) <= 0.985


def test_perfect_separation_of_few_is_not_certain() -> None:
    low, high = auroc_interval(1.0, 4, 4)
    assert low < 0.7 and high == 1
    assert auroc_interval(1.0, 40, 40)[0] > 0.9
    assert np.isnan(auroc_interval(1.0, 3, 2)).all() and np.isnan(auroc_interval(1.0, 1, 9)).all()


@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_below_six_subjects_there_is_no_interval(number: int) -> None:
    values = GENERATOR(0).random(number)
    found = mean_interval(values, names(number), "share")
    assert np.isnan([found.low, found.high]).all() and found.subjects == number
    assert np.isnan(found.value) == (number == 0)
    counts = voxels(GENERATOR(0), max(number, 1))[:number]
    if number:
        assert np.isnan(pooled(counts).low) and np.isfinite(pooled(counts).value)


@pytest.mark.parametrize("values", [np.full(9, 0.4), np.zeros(9), np.ones(9)])
def test_subjects_that_agree_claim_no_certainty(values: np.ndarray) -> None:
    found = mean_interval(values, names(9), "share")
    assert found.value == pytest.approx(values[0]) and np.isnan([found.low, found.high]).all()


def test_samples_of_one_subject_are_no_new_evidence() -> None:
    values = GENERATOR(4).random(10)
    once = mean_interval(values, names(10), "share")
    fourfold = mean_interval(np.repeat(values, 4), list(np.repeat(names(10), 4)), "share")
    assert (fourfold.low, fourfold.high, fourfold.subjects) == pytest.approx((once.low, once.high, 10))


def test_missing_values_are_counted() -> None:
    found = mean_interval(np.array([[0.1, np.nan, 0.3, 0.2], [0.1, 0.5, np.nan, 0.2]]), names(4), "share")
    assert (found.subjects, found.missing, found.value) == (2, 2, pytest.approx(0.15))


def test_bounds_stay_on_their_scale() -> None:
    values = np.array([0.9, 0.99, 0.999, 1, 1, 1, 0.98, 1])
    found = mean_interval(values, names(8), "share")
    assert 0 < found.low < found.value < found.high < 1
    assert mean_interval(0.001 * GENERATOR(0).exponential(size=8), names(8), "positive").low > 0


def test_plain_interval_of_a_number_is_that_of_student() -> None:
    values = GENERATOR(0).normal(size=12)
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    found = mean_interval(values, names(12), "real")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_few_large_lesions_make_a_wide_interval() -> None:
    counts = voxels(GENERATOR(0), 12)
    equal, few = counts.copy(), counts.copy()
    few[:2, 1] *= 30
    width = lambda one: special.logit(one.high) - special.logit(one.low)  # noqa: E731
    assert width(pooled(few)) > width(pooled(equal))


def test_number_of_a_test_set_over_several_trainings_is_wider_than_one() -> None:
    values, low, high = np.array([0.4, 0.5, 0.6]), np.array([0.3, 0.4, 0.5]), np.array([0.5, 0.6, 0.7])
    alone, several = over_trainings(values[1:2], low[1:2], high[1:2], "share"), over_trainings(values, low, high, "share")
    assert alone == (0.4, 0.6)
    assert several[0] < 0.4 and several[1] > 0.6
    assert np.isnan(over_trainings(values, np.array([0.3, np.nan, 0.5]), high, "share")).all()


def test_equal_trainings_have_the_interval_of_one_and_perfect_ones_have_none() -> None:
    low, high = over_trainings(np.array([0.6, 0.6]), np.array([0.4, 0.4]), np.array([0.8, 0.8]), "share")
    assert low == pytest.approx(0.386, abs=0.02) and high == pytest.approx(0.78, abs=0.03)
    assert np.isnan(over_trainings(np.array([1.0, 0.9]), np.array([0.8, 0.7]), np.array([1.0, 0.97]), "share")).all()
