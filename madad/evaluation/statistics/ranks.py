"""How methods rank: subject by subject, over resamples of the subjects, and in groups without a significant difference."""

from __future__ import annotations

import networkx
import numpy as np
from scipy import stats

from madad.evaluation.statistics.pairwise_tests import DECIMALS
from madad.evaluation.statistics.variance import CONFIDENCE


def ranks(values: np.ndarray, better: int) -> np.ndarray:
    """Return the rank of each column in each row, 1 is best and ties share, shape as given (N, K)."""
    return stats.rankdata(-better * np.round(values, DECIMALS), axis=1)


def friedman(ranked: np.ndarray) -> float:
    """p-value of Friedman's test that all columns rank alike, corrected for ties (Conover 1999, 5.8); NaN where undefined.

    Args:
        ranked: (N, K) from `ranks`.
    """
    number, columns = ranked.shape
    if number < 2 or columns < 2:
        return np.nan
    centred = ranked - (columns + 1) / 2
    spread = (centred**2).sum()
    if spread == 0:
        return 1.0
    statistic = (columns - 1) * number**2 * (centred.mean(axis=0) ** 2).sum() / spread
    return float(stats.chi2.sf(statistic, columns - 1))


def rank_probabilities(resampled: np.ndarray, better: int) -> np.ndarray:
    """Return how often each column takes each rank, (K, K): column of the data by rank. Ties divide the ranks they span.

    Args:
        resampled: (R, K) means over resamples.
    """
    ahead, alike = _places(resampled, better)
    place = np.arange(resampled.shape[1])
    within = (place >= ahead[:, :, None]) & (place < (ahead + alike)[:, :, None])
    return (within / alike[:, :, None]).mean(axis=0)


def rank_range(resampled: np.ndarray, better: int) -> np.ndarray:
    """2.5 % and 97.5 % percentile of each column's rank, (2, K); whole ranks, of those that a tie spans the outer ones."""
    ahead, alike = _places(resampled, better)
    low = np.quantile(ahead + 1, (1 - CONFIDENCE) / 2, axis=0, method="inverted_cdf")
    high = np.quantile(ahead + alike, (1 + CONFIDENCE) / 2, axis=0, method="inverted_cdf")
    return np.stack([low, high])


def _places(resampled: np.ndarray, better: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of columns ahead of each and level with it (itself among them), each (R, K)."""
    ordered = stats.rankdata(-better * resampled, method="min", axis=1).astype(int)
    last = stats.rankdata(-better * resampled, method="max", axis=1).astype(int)
    return ordered - 1, last - ordered + 1


def cliques(alike: np.ndarray) -> list[tuple[int, ...]]:
    """Return the largest groups, of two or more, in which no two members differ (Tomita et al. 2006).

    Source: doi:10.1016/j.tcs.2006.06.015. A group may skip a method that lies between its members, so a bar for it must mark
    which ones belong.

    Args:
        alike: (K, K) bool, symmetric; the diagonal is not looked at.
    """
    groups = networkx.find_cliques(networkx.from_numpy_array(alike))
    return sorted(tuple(sorted(group)) for group in groups if len(group) > 1)


def order_changes(first: np.ndarray, second: np.ndarray) -> tuple[int, int]:
    """Count the pairs that two rankings order the opposite way, and those that both order: Kendall's tau distance (Kendall 1938).

    A pair that is tied in either is no evidence for or against, and is counted in neither number.

    Args:
        first: (K,) ranks or values; entries that are NaN in either are left out.
        second: (K,) ranks or values that grow the same way.
    """
    known = np.isfinite(first) & np.isfinite(second)
    upper = np.triu_indices(int(known.sum()), 1)
    signs = [np.sign(np.subtract.outer(one[known], one[known]))[upper] for one in (first, second)]
    agreement = signs[0] * signs[1]
    return int((agreement < 0).sum()), int((agreement != 0).sum())
