"""How large a lesion must be to be found: a psychometric curve over the volume and measured contrast of implanted lesions.

The probability that a lesion is found is modelled as P = sigmoid(a + b log10(volume) + c log10(contrast)), with Firth's
penalty (Firth 1993, doi:10.1093/biomet/80.1.27; Heinze & Schemper 2002, doi:10.1002/sim.1047), because small grids often
separate: where every lesion beyond one volume is found and none below, plain maximum likelihood has no maximum. The curve has no
guessing rate: at one false positive per scan, a tenth of a lesion is rarely covered by chance.

The interval of a volume holds every volume at which the curve's 95 % band contains the wanted probability (inversion of the
band, as Fieller's interval of a ratio; Finney 1971, Probit analysis). At each point of the band the larger of two variances
counts, with Student's t of G - 1 degrees of freedom for G subjects: that of the model, and that of the sums of scores of each
subject (Liang & Zeger 1986, doi:10.1093/biomet/73.1.13), because lesions of one brain are found or missed together. Simulated
for 8 to 50 subjects with 2 to 9 lesions each, its coverage was 92 to 99 %; that of a percentile bootstrap of the subjects, with
2 lesions each, 87 to 93 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import expit

from madad.evaluation.statistics.variance import CONFIDENCE, FEWEST_SUBJECTS

WANTED = 0.8
# Lesions a coefficient of the curve, below which it is not fitted (Peduzzi et al. 1996, doi:10.1016/S0895-4356(96)00236-3, ask
# for ten events; here found and missed ones count alike, because Firth's penalty takes the bias of rare events).
LESIONS_A_COEFFICIENT = 10
# Volumes outside the grid that was tried.
BELOW_ALL, ABOVE_ALL = 0.0, np.inf
# Contrasts that differ by less than this factor count as one, and those below this as this, so that they have a logarithm.
ONE_CONTRAST, FAINTEST = 1.1, 0.01
_ITERATIONS, _LARGEST_STEP, _CLOSE = 100, 5.0, 1e-9
# Points of the curve between the smallest and the largest volume.
_POINTS = 2001


@dataclass(frozen=True)
class Trials:
    """One method's attempts to find implanted lesions.

    Attributes:
        volume_ml: (N,) as ordered, which is exact; positive.
        contrast: (N,) as measured on what methods see, its sign taken off.
        found: (N,) whether it was found, or the share of seeds under which it was, in [0, 1]; NaN when it is not known.
        subjects: (N,) whose brain it was implanted into.
    """

    volume_ml: np.ndarray
    contrast: np.ndarray
    found: np.ndarray
    subjects: np.ndarray

    def known(self) -> Trials:
        """Those with an outcome."""
        kept = np.isfinite(self.found)
        return Trials(*(np.asarray(values)[kept] for values in (self.volume_ml, self.contrast, self.found, self.subjects)))


@dataclass(frozen=True)
class Psychometric:
    """A fitted curve.

    Attributes:
        coefficients: (3,) a, b (per tenfold volume) and c (per tenfold contrast); c is 0 when one contrast was tried.
        covariances: (2, 3, 3) of the coefficients, by the model and by the subjects; (0, 3, 3) where there is no interval.
        quantile: of Student's t, by which standard errors become the band.
        tried_ml: smallest and largest volume tried.
    """

    coefficients: np.ndarray
    covariances: np.ndarray
    quantile: float
    tried_ml: tuple[float, float]

    def probability(self, volume_ml: np.ndarray, contrast: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the probability that a lesion of each volume (V,) is found, with its bounds; NaN bounds without an interval."""
        faint = np.log10(max(contrast, FAINTEST))
        place = np.stack([np.ones_like(volume_ml), np.log10(volume_ml), np.full_like(volume_ml, faint)])
        level = self.coefficients @ place
        half = np.full_like(level, np.nan)
        if len(self.covariances):
            half = self.quantile * np.sqrt(np.einsum("iv,mij,jv->mv", place, self.covariances, place).max(axis=0))
        return expit(level), expit(level - half), expit(level + half)

    def smallest_found(self, contrast: float, wanted: float = WANTED) -> tuple[float, float, float]:
        """Return the smallest volume (ml) from which on every volume is found with the probability `wanted`, with its bounds.

        `BELOW_ALL` means that the smallest volume tried is found already, `ABOVE_ALL` that the largest is not.
        """
        volumes = np.geomspace(*self.tried_ml, _POINTS)
        curve, low, high = self.probability(volumes, contrast)
        value = _from_which_on(curve >= wanted, volumes)
        if np.isnan(low).any():
            return value, np.nan, np.nan
        return value, _from_which_on(high >= wanted, volumes), _from_which_on(low >= wanted, volumes)


def _from_which_on(reached: np.ndarray, volumes: np.ndarray) -> float:
    """Return the first volume from which on all are reached."""
    missed = np.flatnonzero(~reached)
    if not missed.size:
        return BELOW_ALL
    return ABOVE_ALL if missed[-1] == volumes.size - 1 else float(volumes[missed[-1] + 1])


def fit(trials: Trials) -> Psychometric | str:
    """Fit the curve, or say why there is none.

    There are no bounds with fewer subjects than `FEWEST_SUBJECTS`, nor when all lesions or none were found: equal outcomes would
    be certain of what they have never seen.
    """
    trials = trials.known()
    number = trials.found.size
    if not number:
        return "no implanted lesion has an outcome"
    if np.unique(trials.volume_ml).size < 2:
        return f"only one volume was tried ({trials.volume_ml[0]:g} ml)"
    strength = np.log10(np.maximum(trials.contrast, FAINTEST))
    varied = [0, 1, 2] if np.ptp(strength) > np.log10(ONE_CONTRAST) else [0, 1]
    if number < (fewest := LESIONS_A_COEFFICIENT * len(varied)):
        return f"{number} lesions, at least {fewest} are needed for a curve; raise implanted.per_subject"
    design = np.stack([np.ones(number), np.log10(trials.volume_ml), strength], axis=1)[:, varied]
    beta = firth(design, trials.found)
    if not np.isfinite(beta).all():
        return "volume and contrast were varied together, so that their effects cannot be separated"
    coefficients = np.zeros(3)
    coefficients[varied] = beta
    people = np.unique(trials.subjects).size
    covariances = np.zeros((0, 3, 3))
    if people >= FEWEST_SUBJECTS and np.ptp(trials.found) > 0:
        covariances = np.zeros((2, 3, 3))
        covariances[np.ix_([0, 1], varied, varied)] = _covariances(design, trials, beta)
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, max(people - 1, 1)))
    return Psychometric(coefficients, covariances, quantile, (float(trials.volume_ml.min()), float(trials.volume_ml.max())))


def _covariances(design: np.ndarray, trials: Trials, beta: np.ndarray) -> np.ndarray:
    """Return the covariances (2, K, K) of the coefficients: of independent lesions, and of lesions that share a brain."""
    likelihood = _Penalised(design, trials.found)
    inverse = np.linalg.inv(likelihood.information(beta))
    whose, groups = np.unique(trials.subjects, return_inverse=True)
    sums = np.zeros((whose.size, design.shape[1]))
    np.add.at(sums, groups, likelihood.scores(beta))
    return np.stack([inverse, inverse @ (sums.T @ sums) @ inverse * whose.size / max(whose.size - 1, 1)])


def firth(design: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Logistic regression with Firth's penalty.

    Maximises log L(β) + ½ log det(XᵀWX), W = p (1 − p), by Newton steps on the modified score Xᵀ(y − p + h (½ − p)), h the
    leverages, which are halved until the penalised likelihood does not fall (Heinze & Schemper 2002, section 2).

    Args:
        design: (N, K).
        found: (N,) in [0, 1].

    Returns:
        (K,); NaN where the trials do not determine β.
    """
    standard, back = _standardised(design)
    likelihood = _Penalised(standard, found)
    beta = np.zeros(design.shape[1])
    if np.linalg.cond(likelihood.information(beta)) >= 1e10:
        return np.full_like(beta, np.nan)
    for _ in range(_ITERATIONS):
        step = likelihood.step(beta)
        beta = beta + step
        if np.abs(step).max() <= _CLOSE:
            break
    return back @ beta


def _standardised(design: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the design with all columns but the first standardised, and the matrix that turns coefficients back."""
    centre, spread = design.mean(axis=0), design.std(axis=0)
    centre[0] = 0.0
    spread[spread == 0] = 1.0
    back = np.diag(1 / spread)
    back[0] -= centre / spread
    return (design - centre) / spread, back


@dataclass(frozen=True)
class _Penalised:
    """Firth's penalised likelihood of outcomes (N,) under a design (N, K)."""

    design: np.ndarray
    found: np.ndarray

    def information(self, beta: np.ndarray) -> np.ndarray:
        """Return XᵀWX, (K, K)."""
        share = expit(self.design @ beta)
        return (self.design * (share * (1 - share))[:, None]).T @ self.design

    def scores(self, beta: np.ndarray) -> np.ndarray:
        """Return every trial's part of the modified score, (N, K)."""
        share = expit(self.design @ beta)
        inverse = np.linalg.inv(self.information(beta))
        leverage = share * (1 - share) * np.einsum("nk,kl,nl->n", self.design, inverse, self.design)
        return self.design * (self.found - share + leverage * (0.5 - share))[:, None]

    def step(self, beta: np.ndarray) -> np.ndarray:
        """Return a Newton step, no longer than logistf's limit, halved up to ten times where the likelihood would fall."""
        step = np.linalg.solve(self.information(beta), self.scores(beta).sum(axis=0))
        step /= max(1, np.abs(step).max() / _LARGEST_STEP)
        for _ in range(10):
            if self.value(beta + step) >= self.value(beta) - 1e-9:
                break
            step = step / 2
        return step

    def value(self, beta: np.ndarray) -> float:
        """Return the penalised log likelihood."""
        level = self.design @ beta
        determinant = np.linalg.slogdet(self.information(beta))[1]
        return float((self.found * level - np.logaddexp(0, level)).sum() + determinant / 2)


def wilson(found: float, number: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953); NaN without trials.

    Args:
        found: how many of `number`; a fraction where seeds disagree.
    """
    if not number:
        return np.nan, np.nan
    z, share = 1.959963984540054, found / number
    centre = (share + z**2 / (2 * number)) / (1 + z**2 / number)
    half = z / (1 + z**2 / number) * np.sqrt(share * (1 - share) / number + z**2 / (4 * number**2))
    # the bound of a share of 0 or 1 is the share itself, which rounding must not pass
    return float(min(centre - half, share)), float(max(centre + half, share))


def observed(trials: Trials, near: np.ndarray) -> list[tuple[float, float, float, float, int]]:
    """Volume, share found with its Wilson bounds, and number of trials, for every volume tried of some lesions.

    Args:
        near: (N,) bool, which of the trials to take: those whose contrast is nearest to the one that is shown.
    """
    known = np.isfinite(trials.found) & near
    rows = []
    for volume in np.unique(trials.volume_ml[known]):
        found = trials.found[known & (trials.volume_ml == volume)]
        rows.append((float(volume), float(found.mean()), *wilson(float(found.sum()), found.size), int(found.size)))
    return rows
