"""Are two methods different? Tests and effects on values that belong to subjects, for every pair of methods.

Two tests answer two questions. Wilcoxon's compares these very trainings on new subjects. The mixed model compares the methods:
training them again (another seed) and testing other subjects are both random, so its error holds the noise of either. A method
that is trained needs two seeds for it; with one its noise of training is unknown, and no lead counts as outside the noise.

A column is a method; what a subject's value is (its mean over samples, seed by seed) is decided by the caller. Nothing depends on
the order of the columns. Differences are rounded to twelve decimals, so that the arithmetic of means makes no winner.

| case | outcome |
|---|---|
| no or one subject | no test, no interval |
| fewer than six subjects | exact p-values, none of which can lie below 0.05; no interval, no model, no detectable difference |
| one seed of a method that is trained | no p-value of the model; the interval is that of these trainings alone |
| too few subjects for the number of pairs | exact p-values, none of which can lie below 0.05 after Holm |
| two columns equal everywhere | p = 1, effect 0 |
| one column | no pair |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy import stats

from madad.evaluation.statistics.claims import chance_of_lead, congruence
from madad.evaluation.statistics.power import ALPHA, MOST_EXACT, detectable_difference, rank_sum_chances
from madad.evaluation.statistics.variance import (
    CONFIDENCE,
    FEWEST_SUBJECTS,
    Uncertainty,
    combined,
    over_seeds,
    over_subjects,
)

DECIMALS = 12
ONE_TRAINING = "one training run (seed) of a method: the noise of training is unknown, so that nobody is ahead outside it"


@dataclass(frozen=True)
class Comparison:
    """Two methods, the first minus the second.

    Attributes:
        first: column of one method.
        second: column of the other.
        subjects: in the comparison.
        equal: subjects with the same value under both.
        mean: mean difference.
        mean_low: lower bound of its 95 % interval; NaN below six subjects.
        mean_high: upper bound of it.
        median: median difference.
        median_low: lower bound of it, see `median_interval`.
        median_high: upper bound of it.
        wilcoxon: two-sided p-value of Wilcoxon's test.
        holm: the same after Holm's correction over all pairs.
        model: two-sided p-value of the mixed model; NaN when the noise of training is unknown.
        model_holm: the same after Holm's correction.
        sign: two-sided p-value of the sign test.
        effect: rank-biserial correlation, −1 … 1.
        spreads: standard deviations of either over subjects.
        congruence: correlation of the two over subjects.
        chance: that the better mean leads by chance, see `madad.evaluation.statistics.claims`; of these trainings.
        detectable: the smallest mean difference that both tests find with 80 % power, before Holm.
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
    model: float
    model_holm: float
    sign: float
    effect: float
    spreads: tuple[float, float]
    congruence: float
    chance: float
    detectable: float
    reason: str

    def ahead(self, better: int) -> int | None:
        """Return the column that is ahead outside the noise: both tests below 0.05 after Holm, mean and ranks on one side.

        Args:
            better: 1 when larger is better, −1 when smaller is.
        """
        certain = self.holm < ALPHA and self.model_holm < ALPHA and self.effect * self.mean > 0
        leader = self.first if better * self.mean > 0 else self.second
        return leader if certain else None


def compare_all(by_seed: Sequence[np.ndarray], trained: Sequence[bool]) -> list[Comparison]:
    """Return every pair of columns, with Holm's correction over the pairs.

    Args:
        by_seed: K arrays (seeds, N), finite; the numbers of seeds may differ.
        trained: (K,) whether another seed would give other values.
    """
    pairs = list(combinations(range(len(by_seed)), 2))
    means = [one.mean(axis=0) for one in by_seed]
    differences = {(a, b): np.round(means[a] - means[b], DECIMALS) for a, b in pairs}
    noise = {pair: _noise(differences[pair], [by_seed[column] for column in pair]) for pair in pairs}
    unknown = {pair for pair in pairs if any(trained[column] and len(by_seed[column]) < 2 for column in pair)}
    raw = np.array([wilcoxon(one) for one in differences.values()])
    model = np.array([np.nan if pair in unknown else noise[pair].p_value(_mean(differences[pair])) for pair in pairs])
    adjusted, of_model = holm(raw), holm(model)
    return [
        _compare(
            pair,
            differences[pair],
            noise[pair],
            (means[pair[0]], means[pair[1]]),
            (raw[place], adjusted[place], model[place], of_model[place]),
            _reason(differences[pair], len(pairs), pair in unknown),
        )
        for place, pair in enumerate(pairs)
    ]


def winner(comparisons: list[Comparison], columns: int, better: int) -> int | None:
    """Return the column that is ahead of every other outside the noise (see `Comparison.ahead`), if there is one."""
    wins = [one.ahead(better) for one in comparisons]
    return next((column for column in range(columns) if columns > 1 and wins.count(column) == columns - 1), None)


def _noise(differences: np.ndarray, pair: Sequence[np.ndarray]) -> Uncertainty:
    """Return the uncertainty of the mean difference over subjects and, where there are several, seeds; NaN below six subjects."""
    if differences.size < FEWEST_SUBJECTS:
        return Uncertainty(np.nan, np.nan)
    if not differences.any():
        return Uncertainty(0.0, np.inf)
    return combined([over_subjects(differences), *(over_seeds(one) for one in pair if len(one) > 1)])


def _compare(
    pair: tuple[int, int],
    differences: np.ndarray,
    noise: Uncertainty,
    values: tuple[np.ndarray, np.ndarray],
    p_values: Sequence[float],
    reason: str,
) -> Comparison:
    mean, alike = _mean(differences), congruence(*values)
    first, second = (float(one.std(ddof=1)) if one.size > 1 else np.nan for one in values)
    return Comparison(
        *pair,
        differences.size,
        int((differences == 0).sum()),
        mean,
        mean - noise.reach,
        mean + noise.reach,
        float(np.median(differences)) if differences.size else np.nan,
        *median_interval(differences),
        *map(float, p_values),
        sign_test(differences),
        rank_biserial(differences),
        (first, second),
        alike,
        chance_of_lead(abs(mean), (first, second), alike, differences.size),
        max(detectable_difference(differences), noise.detectable),
        reason,
    )


def _mean(differences: np.ndarray) -> float:
    return float(differences.mean()) if differences.size else np.nan


def _reason(differences: np.ndarray, pairs: int, one_training: bool) -> str:
    number = differences.size
    if number < 2:
        return "no subject with a value under both" if not number else "one subject only"
    if not differences.any():
        return "equal for every subject"
    smallest = pairs * 2.0 ** (1 - number)
    if smallest >= ALPHA:
        many = f"{number} subjects and {pairs} pair{'s' if pairs > 1 else ''}"
        return f"with {many} no adjusted p can lie below {min(smallest, 1):.2g}"
    return ONE_TRAINING if one_training else ""


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
    chances = rank_sum_chances(np.abs(doubled[doubled != 0]))
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
