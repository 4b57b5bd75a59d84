"""How likely a lead is chance: of two methods in a published table, and of two of ours.

Source: Christodoulou et al. 2025, "False promises in medical imaging AI?" (arXiv 2505.04720), for metrics of single subjects.
With a flat prior, the posterior of the true difference of two means is Student's t around the observed one. Papers print means
and, at best, standard deviations; how alike two methods judge the same subjects (their congruence, a correlation) decides as
much and is printed nowhere, so it is measured on our own maps. Training again is not in it: see `pairwise_tests` for that.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from madad.evaluation.statistics.variance import FEWEST_SUBJECTS


def congruence(first: np.ndarray, second: np.ndarray) -> float:
    """Return Pearson's correlation of the values (N,) of two methods over subjects; NaN below six, or where one is constant."""
    if first.size < FEWEST_SUBJECTS or np.ptp(first) < 1e-12 or np.ptp(second) < 1e-12:
        return np.nan
    return float(stats.pearsonr(first, second).statistic)


def chance_of_lead(lead: float, spreads: tuple[float, float], alike: float, subjects: float) -> float:
    """Return the probability that the method behind is truly the better one: t of n − 1 degrees (arXiv 2505.04720).

    Args:
        lead: difference of the means, of the better over the other, 0 or more.
        spreads: standard deviations over subjects of either method.
        alike: congruence.
        subjects: n.

    Returns:
        0 … 0.5; NaN where anything is unknown, or below two subjects.
    """
    first, second = spreads
    variance = first**2 + second**2 - 2 * alike * first * second
    if not np.isfinite([lead, variance, subjects]).all() or subjects < 2:
        return np.nan
    if variance <= 1e-18:  # equal but for a shift that every subject shares
        return 0.5 if lead == 0 else 0.0
    return float(stats.t.sf(lead * np.sqrt(subjects / variance), subjects - 1))
