"""How large a lesion must be to be found: a psychometric curve over the volume and contrast of implanted lesions.

The probability that a lesion is found is modelled as P = sigmoid(a + b log10(volume) + c log10(contrast)), with Firth's
penalty (Firth 1993, doi:10.1093/biomet/80.1.27; Heinze & Schemper 2002, doi:10.1002/sim.1047), because small grids often
separate: where every lesion beyond one volume is found and none below, plain maximum likelihood has no maximum. Intervals
resample subjects, the same draw for the lesions of one subject. The curve has no guessing rate: at one false positive per
scan, a tenth of a lesion is rarely covered by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from madad.evaluation.statistics.bootstrap import CONFIDENCE, weights

WANTED = 0.8
# Volumes outside the grid that was tried.
BELOW_ALL, ABOVE_ALL = 0.0, np.inf
_TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
_ITERATIONS, _LARGEST_STEP, _CLOSE = 100, 5.0, 1e-9


@dataclass(frozen=True)
class Trials:
    """One method's attempts to find implanted lesions.

    Attributes:
        volume_ml: (N,) as ordered, positive.
        contrast: (N,) as ordered, positive.
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
        drawn: (resamples, 3) the same of each resample of the subjects, without those that have no fit.
        tried_ml: smallest and largest volume tried.
    """

    coefficients: np.ndarray
    drawn: np.ndarray
    tried_ml: tuple[float, float]

    def probability(self, volume_ml: np.ndarray, contrast: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the probability that a lesion of each volume (V,) is found, with its bounds; NaN bounds without resamples."""
        place = np.stack([np.ones_like(volume_ml), np.log10(volume_ml), np.full_like(volume_ml, np.log10(contrast))])
        value, drawn = expit(self.coefficients @ place), expit(self.drawn @ place)
        low, high = np.quantile(drawn, _TAILS, axis=0) if len(drawn) else np.full((2, volume_ml.size), np.nan)
        return value, low, high

    def smallest_found(self, contrast: float, wanted: float = WANTED) -> tuple[float, float, float]:
        """Return the smallest volume (ml) from which on every volume is found with the probability `wanted`, with its bounds.

        `BELOW_ALL` means that the smallest volume tried is found already, `ABOVE_ALL` that the largest is not.
        """
        values = self._crossing(np.vstack([self.coefficients, self.drawn]), contrast, wanted)
        if len(values) == 1:
            return float(values[0]), np.nan, np.nan
        low, high = np.quantile(values[1:], _TAILS, method="inverted_cdf")  # no mean of a volume and infinity
        return float(values[0]), float(low), float(high)

    def _crossing(self, coefficients: np.ndarray, contrast: float, wanted: float) -> np.ndarray:
        smallest, largest = (np.log10(volume) for volume in self.tried_ml)
        level = coefficients[:, 0] + coefficients[:, 2] * np.log10(contrast) - logit(wanted)
        slope = coefficients[:, 1]
        # Where the curve falls, a volume that is found says nothing about larger ones; the largest tried decides.
        falls = slope <= 0
        crossing = np.divide(-level, slope, out=np.full(slope.shape, smallest), where=~falls)
        values = 10.0 ** np.clip(crossing, smallest, largest)
        values[crossing <= smallest] = BELOW_ALL
        values[level + slope * largest < 0] = ABOVE_ALL
        return values


def fit(trials: Trials, resamples: int, generator: np.random.Generator) -> Psychometric | str:
    """Fit the curve, or say why there is none.

    Subjects are not resampled, so that bounds are NaN, when there is one subject, or when all lesions or none were found:
    resamples of equal outcomes would be certain of what they have never seen.
    """
    trials = trials.known()
    if not trials.found.size:
        return "no implanted lesion has an outcome"
    if np.unique(trials.volume_ml).size < 2:
        return f"only one volume was tried ({trials.volume_ml[0]:g} ml)"
    design = np.stack([np.ones(trials.found.size), np.log10(trials.volume_ml), np.log10(trials.contrast)], axis=1)
    varied = [0, 1, 2] if np.unique(trials.contrast).size > 1 else [0, 1]
    tried = (float(trials.volume_ml.min()), float(trials.volume_ml.max()))
    repeats = np.ones((1, trials.found.size))
    if np.unique(trials.subjects).size > 1 and np.ptp(trials.found) > 0:
        repeats = np.vstack([repeats, weights(list(trials.subjects), resamples, generator)])
    coefficients = np.zeros((len(repeats), 3))
    coefficients[:, varied] = firth(design[:, varied], trials.found, repeats)
    if not np.isfinite(coefficients[0]).all():
        return "volume and contrast were varied together, so that their effects cannot be separated"
    drawn = coefficients[1:]
    return Psychometric(coefficients[0], drawn[np.isfinite(drawn).all(axis=1)], tried)


def firth(design: np.ndarray, found: np.ndarray, repeats: np.ndarray) -> np.ndarray:
    """Logistic regression with Firth's penalty, for many weightings of the same trials at once.

    Maximises log L(β) + ½ log det(XᵀWX), W = p (1 − p), by Newton steps on the modified score Xᵀ(y − p + h (½ − p)), h the
    leverages, which are halved until the penalised likelihood does not fall (Heinze & Schemper 2002, section 2).

    Args:
        design: (N, K).
        found: (N,) in [0, 1].
        repeats: (R, N) how often each trial counts.

    Returns:
        (R, K); NaN where the trials that count do not determine β.
    """
    standard, back = _standardised(design)
    likelihood = _Penalised(standard, found, repeats)
    beta = np.zeros((len(repeats), design.shape[1]))
    beta[~likelihood.determined()] = np.nan
    active = np.flatnonzero(np.isfinite(beta[:, 0]))
    for _ in range(_ITERATIONS):
        if not active.size:
            break
        steps = likelihood.steps(beta[active], active)
        beta[active] += likelihood.shortened(beta[active], steps, active)
        active = active[np.abs(steps).max(axis=1) > _CLOSE]
    return beta @ back.T


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
    """Firth's penalised likelihood of R weightings; `rows` picks some of them."""

    design: np.ndarray
    found: np.ndarray
    repeats: np.ndarray

    def determined(self) -> np.ndarray:
        """Return which weightings have a design of full rank, (R,) bool."""
        information = self._information(np.full(self.repeats.shape, 0.25), np.arange(len(self.repeats)))
        return np.linalg.cond(information) < 1e10

    def steps(self, beta: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Newton steps (R, K), none longer than logistf's limit."""
        share = expit(beta @ self.design.T)
        spread = share * (1 - share)
        inverse = np.linalg.inv(self._information(spread, rows))
        leverage = spread * np.einsum("nk,rkl,nl->rn", self.design, inverse, self.design)
        score = (self.repeats[rows] * (self.found - share + leverage * (0.5 - share))) @ self.design
        steps = np.einsum("rkl,rl->rk", inverse, score)
        return steps / np.maximum(1, np.abs(steps).max(axis=1, keepdims=True) / _LARGEST_STEP)

    def shortened(self, beta: np.ndarray, steps: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the steps, halved up to ten times where the penalised likelihood would fall."""
        before, length = self._value(beta, rows), np.ones((len(beta), 1))
        for _ in range(10):
            falls = self._value(beta + length * steps, rows) < before - 1e-9
            if not falls.any():
                break
            length[falls] /= 2
        return length * steps

    def _value(self, beta: np.ndarray, rows: np.ndarray) -> np.ndarray:
        level = beta @ self.design.T
        share = expit(level)
        likelihood = self.found * level - np.logaddexp(0, level)
        determinant = np.linalg.slogdet(self._information(share * (1 - share), rows))[1]
        return (self.repeats[rows] * likelihood).sum(axis=1) + determinant / 2

    def _information(self, spread: np.ndarray, rows: np.ndarray) -> np.ndarray:
        products = np.einsum("nk,nl->nkl", self.design, self.design).reshape(len(self.design), -1)
        size = self.design.shape[1]
        return ((self.repeats[rows] * spread) @ products).reshape(-1, size, size)


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
    return float(centre - half), float(centre + half)


def observed(trials: Trials, contrast: float) -> list[tuple[float, float, float, float, int]]:
    """Volume, share found with its Wilson bounds, and number of trials, for every volume tried at one contrast."""
    trials = trials.known()
    rows = []
    for volume in np.unique(trials.volume_ml[trials.contrast == contrast]):
        found = trials.found[(trials.contrast == contrast) & (trials.volume_ml == volume)]
        rows.append((float(volume), float(found.mean()), *wilson(float(found.sum()), found.size), int(found.size)))
    return rows
