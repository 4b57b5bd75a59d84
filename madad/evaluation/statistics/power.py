"""What a test of so many subjects can find: the exact distribution of Wilcoxon's statistic, and its power by simulation."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import optimize

from madad.core.seeds import numpy_generator
from madad.evaluation.statistics.variance import FEWEST_SUBJECTS, POWER, Uncertainty

ALPHA = 0.05
# Beyond this many subjects the normal approximation of the signed-rank statistic is used.
MOST_EXACT = 50
# Efficiency of the Wilcoxon test relative to the t-test for normal differences (Lehmann 1975, Nonparametrics, appendix 5).
EFFICIENCY = 3 / np.pi
STUDIES = 4000
# No study of this kind has more subjects; a difference that needs more is as good as none.
MOST_SUBJECTS = 10_000


def rank_sum_chances(sizes: np.ndarray) -> np.ndarray:
    """Return the probability of each sum of the positive ranks when every pattern of signs is equally likely."""
    chances = np.zeros(int(sizes.sum()) + 1)
    chances[0] = 1
    for step in sizes:
        chances[step:] = (chances[step:] + chances[:-step]) / 2
        chances[:step] /= 2
    return chances


def detectable_difference(differences: np.ndarray) -> float:
    """Return the smallest mean difference that an unadjusted two-sided Wilcoxon test at 5 % detects with 80 % power.

    For normal differences of the same standard deviation. Up to 50 subjects by `STUDIES` simulated studies, whose exact test
    is coarser than any formula at small n; beyond by the noncentral t distribution with 0.955 n subjects (see `EFFICIENCY`).
    NaN below six subjects, where no p-value can be small enough.
    """
    number = differences.size
    if number < FEWEST_SUBJECTS:
        return np.nan
    return float(differences.std(ddof=1) * _in_sd(number))


def subjects_needed(difference: float, deviation: float) -> int | None:
    """Return the fewest subjects with which the test of `detectable_difference` would find a mean difference with 80 % power.

    Args:
        difference: mean over subjects.
        deviation: standard deviation over subjects.

    Returns:
        None where either is unknown, the difference is 0, or `MOST_SUBJECTS` would not do.
    """
    if not (np.isfinite(difference) and np.isfinite(deviation)) or difference == 0:
        return None
    wanted = abs(difference)
    if deviation * _in_sd(MOST_SUBJECTS) > wanted:
        return None
    low, high = FEWEST_SUBJECTS - 1, MOST_SUBJECTS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if deviation * _in_sd(middle) <= wanted else (middle, high)
    return high


def _in_sd(number: int) -> float:
    """Return the detectable difference of so many subjects in standard deviations."""
    if number <= MOST_EXACT:
        return _detectable_in_sd(number)
    return Uncertainty(1 / np.sqrt(EFFICIENCY * number), number - 1.0).detectable


@lru_cache(maxsize=256)
def _detectable_in_sd(number: int) -> float:
    drawn = numpy_generator("power", number).normal(size=(STUDIES, number))
    chances = rank_sum_chances(np.arange(1, number + 1))
    limit = int(np.argmax(2 * np.cumsum(chances[::-1])[::-1] < ALPHA))

    def missing(shift: float) -> float:
        shifted = drawn + shift
        sums = ((np.abs(shifted).argsort(axis=1).argsort(axis=1) + 1) * (shifted > 0)).sum(axis=1)
        return float((sums >= limit).mean()) - POWER

    return float(optimize.brentq(missing, 0, 6, xtol=1e-3))
