"""95 % intervals over subjects. The subject is the unit: several samples of one subject are drawn together."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and its interval.

    Attributes:
        value: mean over samples.
        low, high: bounds; NaN when there are fewer than two subjects.
        subjects: number of subjects behind it.
        missing: number of samples whose value is NaN and that are therefore not in it.
    """

    value: float
    low: float
    high: float
    subjects: int
    missing: int = 0


def mean_interval(values: np.ndarray, subjects: Sequence[str], resamples: int, generator: np.random.Generator) -> Interval:
    """Mean over samples with its bias-corrected and accelerated interval (Efron 1987, doi:10.1080/01621459.1987.10478410).

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


def weights(subjects: Sequence[str], resamples: int, generator: np.random.Generator) -> np.ndarray:
    """How often each sample is drawn in each resample of the subjects, shape (resamples, N) int64."""
    _, member = np.unique(np.asarray(subjects), return_inverse=True)
    number = int(member.max()) + 1
    return generator.multinomial(number, np.full(number, 1 / number), size=resamples)[:, member]


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
