"""95 % intervals over subjects, and over seeds where there are several, that hold in small test sets.

The subject is the unit: several samples of one subject are a cluster. A share is transformed by the logit and a positive number
by the logarithm, where its distribution is closer to normal and bounds stay possible; the interval of Student's t is laid there,
with the standard error by the delta method, and transformed back. Percentile and BCa bootstraps, which are usual, cover 80 to
90 % in test sets of 4 to 8 subjects (DiCiccio & Efron 1996, doi:10.1214/ss/1032280214, on their second-order error).

| case | interval |
|---|---|
| fewer than six subjects | none |
| subjects that all agree, or a mean at the end of its scale | none: nothing shows how far others would be |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from madad.evaluation.statistics.variance import FEWEST_SUBJECTS, Uncertainty, combined, over_seeds

# A share of 0 … 1; a number above 0; any number.
Scale = Literal["share", "positive", "real"]
NORMAL = 1.959963984540054  # quantile of 97.5 %
_GRID = np.linspace(0, 1, 4001)


@dataclass(frozen=True)
class Interval:
    """A value and its interval.

    Attributes:
        value: mean over samples, or another statistic of them.
        low: lower bound; NaN where there is no interval.
        high: upper bound, likewise.
        subjects: number of subjects behind it.
        missing: number of samples whose value is NaN and that are therefore not in it.
    """

    value: float
    low: float
    high: float
    subjects: int
    missing: int = 0


def mean_interval(values: np.ndarray, subjects: Sequence[str], scale: Scale) -> Interval:
    """Return the mean over seeds and samples with its interval.

    The variance is that of clusters of subjects, of the mean over seeds (Cochran 1977, Sampling Techniques, 6.3), and with
    two seeds or more that of the seeds is added, with Satterthwaite's degrees of freedom.

    Args:
        values: (N,) or (seeds, N), NaN where a metric is undefined; a sample that is NaN under one seed is missing.
        subjects: (N,) whose sample it is.
        scale: of the values.
    """
    values = np.atleast_2d(np.asarray(values, dtype=np.float64))
    present = np.isfinite(values).all(axis=0)
    missing = int((~present).sum())
    if not present.any():
        return Interval(np.nan, np.nan, np.nan, 0, missing)
    by_seed = values[:, present]
    means, (_, member) = by_seed.mean(axis=0), np.unique(np.asarray(subjects)[present], return_inverse=True)
    mean, number = float(means.mean()), int(member.max()) + 1
    residuals = np.bincount(member, weights=means - mean)
    parts = [(number / (number - 1) * float((residuals**2).sum()) / means.size**2, number - 1.0)] if number > 1 else []
    noise = combined([*parts, over_seeds(by_seed)] if len(by_seed) > 1 else parts)
    return _around(mean, noise, number, scale, missing)


def jackknife_interval(
    statistic: Callable[[np.ndarray], np.ndarray],
    subjects: Sequence[str],
    scale: Scale,
    sizes: np.ndarray | None = None,
) -> Interval:
    """Return a statistic that is no mean, such as a pooled AUPRC, with the interval of the jackknife over subjects.

    Args:
        statistic: takes how often each sample counts, (R, N), and gives (R,); NaN where there is no value.
        subjects, scale, sizes: of `jackknife_intervals`.
    """
    return jackknife_intervals(lambda weights: statistic(weights)[:, None], subjects, scale, sizes)[0]


def jackknife_intervals(
    statistic: Callable[[np.ndarray], np.ndarray],
    subjects: Sequence[str],
    scale: Scale,
    sizes: np.ndarray | None = None,
) -> list[Interval]:
    """Return several statistics that are no means, each with its interval of the jackknife over subjects.

    Source: Tukey's jackknife on the transformed scale (Efron & Tibshirani 1993, chapter 11). Where subjects weigh unequally,
    as those with large lesions do, a few decide its variance: the degrees of freedom are those of the effective number of
    subjects, (Σ size)² / Σ size² (Kish 1965, Survey Sampling, 8.2), less one.

    Args:
        statistic: takes how often each sample counts, (R, N), and gives (R, K); NaN where there is no value.
        subjects: (N,) whose sample it is.
        scale: of the statistics.
        sizes: (N,) weight of each sample, such as its lesion voxels; None for equal ones.
    """
    _, member = np.unique(np.asarray(subjects), return_inverse=True)
    number = int(member.max()) + 1 if member.size else 0
    values = statistic(np.ones((1, member.size)))[0] if number else np.array([np.nan])
    if number < FEWEST_SUBJECTS or not np.isfinite(values).any():
        return [Interval(float(value), np.nan, np.nan, number) for value in values]
    left_out = _to(statistic((member[None, :] != np.arange(number)[:, None]).astype(np.float64)), scale)
    weight = np.bincount(member, weights=None if sizes is None else np.asarray(sizes, dtype=np.float64))
    freedom = max(weight.sum() ** 2 / (weight**2).sum() - 1.0, 1.0)
    with np.errstate(invalid="ignore"):
        variances = (number - 1) / number * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    reaches = [combined([(float(one), freedom)]).reach if np.isfinite(one) else np.nan for one in variances]
    return [
        Interval(float(value), *_bounds(float(value), reach, scale), number) for value, reach in zip(values, reaches, strict=True)
    ]


def auroc_interval(value: float, healthy: int, diseased: int) -> tuple[float, float]:
    """Return the bounds of the AUROC of two groups of subjects, also where it is 0 or 1; NaN below six subjects.

    Source: Newcombe 2006, method 5 (doi:10.1002/sim.2324): every AUROC from which the observed one is within 1.96 of the standard
    errors that Hanley & McNeil 1982 (doi:10.1148/radiology.143.1.7063747) give for it. It takes groups to be independent; where
    the same people are in both, it is wider than needed.

    Args:
        value: the AUROC.
        healthy: subjects in one group.
        diseased: subjects in the other.
    """
    if min(healthy, diseased) < 2 or healthy + diseased < FEWEST_SUBJECTS or not np.isfinite(value):
        return np.nan, np.nan
    more = ((healthy + diseased) / 2 - 1) * ((1 - _GRID) / (2 - _GRID) + _GRID / (1 + _GRID))
    errors = np.sqrt(_GRID * (1 - _GRID) * (1 + more) / (healthy * diseased))
    inside = _GRID[np.abs(value - _GRID) <= NORMAL * errors]
    return min(float(inside[0]), value), max(float(inside[-1]), value)


def over_trainings(values: np.ndarray, low: np.ndarray, high: np.ndarray, scale: Scale) -> tuple[float, float]:
    """Return the bounds of the mean over seeds of a number of a whole test set; of one seed those that it has.

    Args:
        values: (seeds,).
        low: (seeds,) bounds of each over subjects; NaN for none.
        high: (seeds,) likewise.
        scale: of the values.
    """
    if values.size < 2 or not np.isfinite([low, high]).all():
        return (float(low[0]), float(high[0])) if values.size == 1 else (np.nan, np.nan)
    if not np.isfinite(_to(values, scale)).all():  # at an end of the scale nothing shows how far trainings would move it
        return np.nan, np.nan
    middle, reach = _to(values, scale), (_to(high, scale) - _to(low, scale)) / 2
    noise = combined([(float(np.mean(reach) / NORMAL) ** 2, np.inf), over_seeds(middle[:, None])])
    return _bounds(float(values.mean()), noise.reach, scale)


def _around(mean: float, noise: Uncertainty, subjects: int, scale: Scale, missing: int) -> Interval:
    slope = {"share": mean * (1 - mean), "positive": mean, "real": 1.0}[scale]
    reach = noise.reach / slope if subjects >= FEWEST_SUBJECTS and noise.error > 1e-12 and slope > 0 else np.nan
    return Interval(mean, *_bounds(mean, reach, scale), subjects, missing)


def _bounds(value: float, reach: float, scale: Scale) -> tuple[float, float]:
    middle = float(_to(np.array([value]), scale)[0])
    if not np.isfinite(middle) or not reach > 0:
        return np.nan, np.nan
    ends = np.array([middle - reach, middle + reach])
    low, high = special.expit(ends) if scale == "share" else np.exp(ends) if scale == "positive" else ends
    return float(low), float(high)


def _to(values: np.ndarray, scale: Scale) -> np.ndarray:
    """Return values on the scale where intervals are laid; infinite at its ends."""
    if scale == "real":
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return special.logit(values) if scale == "share" else np.log(values)
