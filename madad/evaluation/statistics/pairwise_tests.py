"""Are two methods different? Tests and effects on values that belong to subjects, for every pair of methods.

A row is a subject and a column a method; what a subject's value is (mean over seeds, then over its samples) is decided by
the caller. Nothing depends on the order of the columns. Differences are rounded to twelve decimals, so that the arithmetic
of means makes no winner.

| case | outcome |
|---|---|
| no or one subject | no test, no interval |
| fewer than six subjects | exact p-values, none of which can lie below 0.05; no detectable difference |
| too few subjects for the number of pairs | exact p-values, none of which can lie below 0.05 after Holm |
| two columns equal everywhere | p = 1, effect 0 |
| one column | no pair |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy import optimize, stats

from madad.evaluation.statistics.bootstrap import CONFIDENCE

ALPHA = 0.05
POWER = 0.8
# Two-sided Wilcoxon: the smallest p-value of n subjects is 2 / 2**n.
FEWEST_SUBJECTS = 6
# Beyond this many subjects the normal approximation of the signed-rank statistic is used.
MOST_EXACT = 50
# Efficiency of the Wilcoxon test relative to the t-test for normal differences (Lehmann 1975, Nonparametrics, appendix 5).
EFFICIENCY = 3 / np.pi
DECIMALS = 12


@dataclass(frozen=True)
class Comparison:
    """Two methods, the first minus the second.

    Attributes:
        first: column of one method.
        second: column of the other.
        subjects: in the comparison.
        equal: subjects with the same value under both.
        mean: mean difference.
        mean_low: 2.5 % percentile of it over the paired resamples.
        mean_high: 97.5 % percentile of it.
        median: median difference.
        median_low: lower bound of it, see `median_interval`.
        median_high: upper bound of it.
        wilcoxon: two-sided p-value of Wilcoxon's test.
        holm: the same after Holm's correction over all pairs.
        sign: two-sided p-value of the sign test.
        effect: rank-biserial correlation, −1 … 1.
        detectable: see `detectable_difference`.
        reason: why there is no p-value, or why none could be small; else empty.
    """

    first: int
    second: int
    subjects: int
    equal: int
    mean: float
    mean_low: float
    mean_high: float
    median: float
    median_low: float
    median_high: float
    wilcoxon: float
    holm: float
    sign: float
    effect: float
    detectable: float
    reason: str

    def ahead(self, better: int) -> int | None:
        """Return the column that is ahead outside the noise: Holm–Wilcoxon below 0.05 and a paired interval beyond 0 on its side.

        Args:
            better: 1 when larger is better, −1 when smaller is.
        """
        certain = self.holm < ALPHA and (self.mean_low > 0 or self.mean_high < 0) and self.effect * self.mean > 0
        leader = self.first if better * self.mean > 0 else self.second
        return leader if certain else None


def compare_all(values: np.ndarray, resampled: np.ndarray) -> list[Comparison]:
    """Return every pair of columns, with Holm's correction over the pairs.

    Args:
        values: (N, K) finite.
        resampled: (R, K) means of the columns over the same resamples of the subjects.
    """
    pairs = list(combinations(range(values.shape[1]), 2))
    differences = {(a, b): np.round(values[:, a] - values[:, b], DECIMALS) for a, b in pairs}
    raw = np.array([wilcoxon(one) for one in differences.values()])
    adjusted = dict(zip(pairs, holm(raw), strict=True))
    drawn = {(a, b): np.round(resampled[:, a] - resampled[:, b], DECIMALS) for a, b in pairs}
    return [
        _compare(pair, differences[pair], drawn[pair], (p, adjusted[pair]), _reason(differences[pair], len(pairs)))
        for pair, p in zip(pairs, raw, strict=True)
    ]


def winner(comparisons: list[Comparison], columns: int, better: int) -> int | None:
    """Return the column that is ahead of every other outside the noise (see `Comparison.ahead`), if there is one."""
    wins = [one.ahead(better) for one in comparisons]
    return next((column for column in range(columns) if columns > 1 and wins.count(column) == columns - 1), None)


def _compare(
    pair: tuple[int, int], differences: np.ndarray, drawn: np.ndarray, p_values: tuple[float, float], reason: str
) -> Comparison:
    number = differences.size
    tails = (np.nan, np.nan) if number < 2 else np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Comparison(
        *pair,
        number,
        int((differences == 0).sum()),
        float(differences.mean()) if number else np.nan,
        float(tails[0]),
        float(tails[1]),
        float(np.median(differences)) if number else np.nan,
        *median_interval(differences),
        *map(float, p_values),
        sign_test(differences),
        rank_biserial(differences),
        detectable_difference(differences),
        reason,
    )


def _reason(differences: np.ndarray, pairs: int) -> str:
    number = differences.size
    if number < 2:
        return "no subject with a value under both" if not number else "one subject only"
    if not differences.any():
        return "equal for every subject"
    smallest = pairs * 2.0 ** (1 - number)
    if smallest < ALPHA:
        return ""
    return f"with {number} subjects and {pairs} pair{'s' if pairs > 1 else ''} no adjusted p can lie below {min(smallest, 1):.2g}"


def _signed_ranks(differences: np.ndarray) -> np.ndarray:
    """Return the ranks of the sizes with the signs of the differences; zeros are ranked too and then count for neither side."""
    return stats.rankdata(np.abs(differences)) * np.sign(differences)


def wilcoxon(differences: np.ndarray) -> float:
    """Two-sided p-value of the signed-rank test with zeros by Pratt 1959 (doi:10.1080/01621459.1959.10501526).

    Up to 50 subjects it is exact, given the ranks that ties and zeros leave: every pattern of signs is equally likely.
    Beyond, the normal approximation of scipy. NaN below two subjects.
    """
    if differences.size < 2:
        return np.nan
    if not differences.any():
        return 1.0
    if differences.size > MOST_EXACT:
        return float(stats.wilcoxon(differences, zero_method="pratt", method="approx").pvalue)
    doubled = np.rint(2 * _signed_ranks(differences)).astype(int)  # whole numbers: tied ranks are halves
    chances = np.zeros(np.abs(doubled).sum() + 1)
    chances[0] = 1
    for step in np.abs(doubled[doubled != 0]):
        chances[step:] = (chances[step:] + chances[:-step]) / 2
        chances[:step] /= 2
    positive = doubled[doubled > 0].sum()
    return float(min(1.0, 2 * min(chances[: positive + 1].sum(), chances[positive:].sum())))


def sign_test(differences: np.ndarray) -> float:
    """Two-sided exact p-value of the signs alone, zeros left out: to be read where ties dominate. NaN below two subjects."""
    if differences.size < 2:
        return np.nan
    positive, negative = int((differences > 0).sum()), int((differences < 0).sum())
    return float(min(1.0, 2 * stats.binom.cdf(min(positive, negative), positive + negative, 0.5)))


def rank_biserial(differences: np.ndarray) -> float:
    """Matched-pairs rank-biserial correlation (Kerby 2014, doi:10.2466/11.IT.3.1): share of the rank sum for minus against.

    The ranks of zeros stay in the total, so that ties pull the effect towards 0. NaN without subjects.
    """
    ranks = _signed_ranks(differences)
    return float(ranks.sum() / stats.rankdata(np.abs(differences)).sum()) if differences.size else np.nan


def holm(p_values: np.ndarray) -> np.ndarray:
    """Step-down adjusted p-values (Holm 1979, Scand. J. Stat. 6:65) over those that are not NaN; shape as given."""
    adjusted = np.full(p_values.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    scaled = p_values[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1) if order.size else scaled
    return adjusted


def median_interval(differences: np.ndarray) -> tuple[float, float]:
    """95 % percentile bounds of the bootstrapped median, exact: the limit of infinitely many resamples.

    The k-th smallest of a resample of N is at most the j-th smallest value with the chance that a binomial (N, j/N) reaches
    k (Efron 1979, doi:10.1214/aos/1176344552). For even N the outer of the two middle places is taken at either end.
    NaN below two subjects.
    """
    if differences.size < 2:
        return np.nan, np.nan
    low, high = _median_places(differences.size)
    ordered = np.sort(differences)
    return float(ordered[low]), float(ordered[high])


@lru_cache(maxsize=256)
def _median_places(number: int) -> tuple[int, int]:
    shares = np.arange(1, number + 1) / number
    lower, upper = (stats.binom.sf(middle - 1, number, shares) for middle in ((number + 1) // 2, number // 2 + 1))
    return int(np.argmax(lower >= (1 - CONFIDENCE) / 2)), int(np.argmax(upper >= (1 + CONFIDENCE) / 2))


def detectable_difference(differences: np.ndarray) -> float:
    """Return the smallest mean difference that an unadjusted two-sided Wilcoxon test at 5 % detects with 80 % power.

    Power of the t-test by the noncentral t distribution with 0.955 n subjects (see `EFFICIENCY`); NaN below six subjects,
    where no p-value can be small enough.
    """
    if differences.size < FEWEST_SUBJECTS:
        return np.nan
    return float(differences.std(ddof=1) * _detectable_in_sd(differences.size))


@lru_cache(maxsize=256)
def _detectable_in_sd(number: int) -> float:
    freedom = number - 1
    limit = stats.t.ppf(1 - ALPHA / 2, freedom)

    def missing(shift: float) -> float:
        return stats.nct.sf(limit, freedom, shift) + stats.nct.cdf(-limit, freedom, shift) - POWER

    return optimize.brentq(missing, 1, 6) / np.sqrt(EFFICIENCY * number)
