"""95 % intervals over subjects. The subject is the unit: several samples of one subject are drawn together."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from madad.evaluation.statistics.variance import CONFIDENCE


@dataclass(frozen=True)
class Interval:
    """A mean and its interval.

    Attributes:
        value: mean over samples.
        low: lower bound; NaN when there are fewer than two subjects.
        high: upper bound, likewise.
        subjects: number of subjects behind it.
        missing: number of samples whose value is NaN and that are therefore not in it.
    """

    value: float
    low: float
    high: float
    subjects: int
    missing: int = 0


def mean_interval(values: np.ndarray, subjects: Sequence[str], resamples: int, generator: np.random.Generator) -> Interval:
    """Return the mean over samples with its BCa interval (Efron 1987, doi:10.1080/01621459.1987.10478410).

    Declared cases: no value gives NaN throughout; one subject gives NaN bounds; subjects that all agree give an
    interval of no width; where BCa is undefined, as when every resample lies on one side, percentiles are taken.

    Args:
        values: (N,), NaN where a metric is undefined.
        subjects: (N,) whose sample it is; samples of one subject are resampled together.
    """
    present = np.isfinite(values)
    sums, counts = _by_subject(np.asarray(values, dtype=np.float64)[present], np.asarray(subjects)[present])
    missing = int((~present).sum())
    if not sums.size:
        return Interval(np.nan, np.nan, np.nan, 0, missing)
    mean = float(sums.sum() / counts.sum())
    if sums.size == 1:
        return Interval(mean, np.nan, np.nan, 1, missing)
    if np.ptp(sums / counts) < 1e-12:
        return Interval(mean, mean, mean, sums.size, missing)
    low, high = _bounds(sums, counts, resamples, generator)
    return Interval(mean, low, high, sums.size, missing)


def hierarchical_interval(
    values: np.ndarray, subjects: Sequence[str], resamples: int, generator: np.random.Generator
) -> Interval:
    """Return the mean over seeds and samples with the interval that both levels bring, seeds and subjects.

    Every seed scores the same subjects, so the levels are crossed: each resample draws seeds and, independently, subjects
    (Owen 2007, The pigeonhole bootstrap, doi:10.1214/07-AOAS122). Plain resampling of S seeds would understate their
    variance by the factor (S − 1)/S, a half for two seeds; their weights are stretched to make up for it (Rao & Wu 1988,
    J. Am. Stat. Assoc. 83:231), and bounds are kept inside the range of the values. Bounds are bias-corrected and
    accelerated as for a statistic of two samples (Davison & Hinkley 1997, Bootstrap Methods and their Application, 5.3.2).

    Declared cases: one seed or one subject gives `mean_interval` of the mean over seeds; agreement throughout gives an
    interval of no width; where BCa is undefined percentiles are taken.

    Args:
        values: (seeds, N); a sample that is NaN under one seed is missing.
        subjects: (N,) whose sample it is; samples of one subject are resampled together.
    """
    values = np.asarray(values, dtype=np.float64)
    present = np.isfinite(values).all(axis=0)
    kept = np.asarray(subjects)[present]
    if len(values) < 2 or np.unique(kept).size < 2:
        return mean_interval(values.mean(axis=0), subjects, resamples, generator)
    names, member = np.unique(kept, return_inverse=True)
    counts = np.bincount(member).astype(np.float64)
    sums = np.stack([np.bincount(member, weights=seed) for seed in values[:, present]])
    drawn = _crossed(sums, counts, resamples, generator)
    mean = float(sums.sum() / (counts.sum() * len(sums)))
    low, high = (mean, mean) if np.ptp(drawn) < 1e-12 else _accelerated(mean, drawn, _leave_one_out(sums, counts))
    least, most = values[:, present].min(), values[:, present].max()
    return Interval(mean, float(max(low, least)), float(min(high, most)), names.size, int((~present).sum()))


def resampled_means(values: Sequence[np.ndarray], resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Means of several methods over the same resamples of subjects and seeds, shape (resamples, K).

    Subjects are shared, so that differences between columns are paired. Methods with equally many seeds share the draw of
    seeds as well; their order says nothing, and the variance of a difference is right either way.

    Args:
        values: K arrays (seeds, N) of finite values; the numbers of seeds may differ. One column is one subject.
    """
    number = values[0].shape[1]
    drawn = _multiplicities(number, resamples, generator) / number
    sizes = sorted({len(one) for one in values})
    seeds = {size: _seed_weights(size, resamples, generator) for size in sizes}
    # Rounding makes equal methods equal in every resample, whatever the order of summation.
    return np.stack([np.einsum("rs,rs->r", drawn @ one.T, seeds[len(one)]) for one in values], axis=1).round(12)


def weights(subjects: Sequence[str], resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Return how often each sample is drawn in each resample of the subjects, shape (resamples, N) int64."""
    _, member = np.unique(np.asarray(subjects), return_inverse=True)
    return _multiplicities(int(member.max()) + 1, resamples, generator)[:, member]


def percentile_interval(
    statistic: Callable[[np.ndarray], np.ndarray],
    value: float,
    subjects: Sequence[str],
    resamples: int,
    generator: np.random.Generator,
) -> Interval:
    """Interval of a statistic that is no mean, such as a pooled AUPRC, from the percentiles of its resamples.

    Args:
        statistic: takes `weights` (resamples, N) and gives (resamples,); NaN where a resample has no value.
        value: the statistic of the sample itself.
    """
    number = len(set(subjects))
    if number < 2 or not np.isfinite(value):
        return Interval(value, np.nan, np.nan, number)
    drawn = statistic(weights(subjects, resamples, generator))
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]) if drawn.size else (np.nan, np.nan)
    return Interval(value, float(low), float(high), number)


def _multiplicities(number: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Return how often each unit is drawn, (resamples, number); counting draws is five times faster than a multinomial."""
    drawn = generator.integers(number, size=(resamples, number)) + number * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * number).reshape(resamples, number)


def _seed_weights(number: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Weights of the seeds in each resample, (resamples, number), rows sum to 1, with the variance of independent seeds."""
    if number == 1:
        return np.ones((resamples, 1))
    drawn = _multiplicities(number, resamples, generator) / number
    return 1 / number + (drawn - 1 / number) * np.sqrt(number / (number - 1))


def _crossed(sums: np.ndarray, counts: np.ndarray, resamples: int, generator: np.random.Generator) -> np.ndarray:
    drawn = _multiplicities(counts.size, resamples, generator)
    by_seed = (drawn @ sums.T) / (drawn @ counts)[:, None]
    return np.einsum("rs,rs->r", by_seed, _seed_weights(len(sums), resamples, generator))


def _leave_one_out(sums: np.ndarray, counts: np.ndarray) -> list[np.ndarray]:
    """Return the mean without each seed, and without each subject."""
    whole = sums.sum()
    seeds = (whole - sums.sum(axis=1)) / (counts.sum() * (len(sums) - 1))
    subjects = (whole - sums.sum(axis=0)) / ((counts.sum() - counts) * len(sums))
    return [seeds, subjects]


def _accelerated(value: float, drawn: np.ndarray, left_out: list[np.ndarray]) -> tuple[float, float]:
    """BCa bounds from the resampled values and the jackknife of each level."""
    influence = [(one.size - 1) * (one.mean() - one) / one.size for one in left_out]
    spread = sum((one**2).sum() for one in influence)
    levels = np.array([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    below = ((drawn < value).mean() + (drawn <= value).mean()) / 2
    if spread > 0 and 0 < below < 1:
        acceleration = sum((one**3).sum() for one in influence) / (6 * spread**1.5)
        bias = stats.norm.ppf(below)
        shifted = bias + stats.norm.ppf(levels)
        levels = stats.norm.cdf(bias + shifted / (1 - acceleration * shifted))
    low, high = np.quantile(drawn, levels)
    return float(low), float(high)


def _by_subject(values: np.ndarray, subjects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _, member = np.unique(subjects, return_inverse=True)
    counts = np.bincount(member).astype(np.float64)
    return np.bincount(member, weights=values), counts


def _ratio(sums: np.ndarray, counts: np.ndarray, axis: int = -1) -> np.ndarray:
    return sums.sum(axis=axis) / counts.sum(axis=axis)


def _bounds(sums: np.ndarray, counts: np.ndarray, resamples: int, generator: np.random.Generator) -> tuple[float, float]:
    shared = {"n_resamples": resamples, "paired": True, "vectorized": True, "confidence_level": CONFIDENCE, "rng": generator}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the undefined case is handled below
        result = stats.bootstrap((sums, counts), _ratio, method="BCa", **shared)
    low, high = (float(bound) for bound in result.confidence_interval)
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    tails = np.quantile(result.bootstrap_distribution, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(tails[0]), float(tails[1])
