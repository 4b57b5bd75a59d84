"""How sure a mean is that has several sources of noise: variances that add up, each with its degrees of freedom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special  # and not stats, whose import takes longer than most tables

CONFIDENCE = 0.95
# No interval over fewer subjects, and no test: the smallest two-sided p-value of Wilcoxon's test is 2 / 2**n.
FEWEST_SUBJECTS = 6
POWER = 0.8
_POINTS = 2000


@dataclass(frozen=True)
class Uncertainty:
    """The standard error of a mean, and how well it is known.

    Attributes:
        error: standard error; NaN when it is unknown.
        freedom: degrees of freedom of its t distribution, of any size above 0; infinite for an error of zero.
    """

    error: float
    freedom: float

    @property
    def reach(self) -> float:
        """Half the width of the 95 % interval of t."""
        return 0.0 if self.error == 0 else float(special.stdtrit(self.freedom, (1 + CONFIDENCE) / 2)) * self.error

    def p_value(self, mean: float) -> float:
        """Return the two-sided p-value of a mean of zero; 1 for a mean of zero without error."""
        if self.error == 0:
            return 1.0 if mean == 0 else 0.0
        return float(2 * special.stdtr(self.freedom, -abs(mean) / self.error))

    @property
    def detectable(self) -> float:
        """The mean that a two-sided t-test at 5 % finds with 80 % power; NaN when the error is unknown."""
        if not np.isfinite(self.error):
            return np.nan
        # one decimal of the degrees of freedom is enough, and lets pairs share the answer
        return 0.0 if self.error == 0 else self.error * _detectable_in_errors(round(min(self.freedom, 1e4), 1))


def over_subjects(values: np.ndarray) -> tuple[float, float]:
    """Return variance and degrees of freedom of the mean of independent subjects (N,), N ≥ 2."""
    return float(values.var(ddof=1)) / values.size, values.size - 1.0


def over_seeds(values: np.ndarray) -> tuple[float, float]:
    """Return variance and degrees of freedom that the training adds to the mean of values (seeds, N), two seeds or more.

    Source: the variance of the means of single seeds, as that of readers in studies of several readers and cases (Obuchowski &
    Rockette 1995, doi:10.1080/03610919508813243). It holds the noise of seed and subject together as well, which the variance
    over subjects holds too: it errs on the side of too much.
    """
    return over_subjects(values.mean(axis=1))


def combined(parts: Iterable[tuple[float, float]]) -> Uncertainty:
    """Return the standard error of a sum of independent terms from their variances with degrees of freedom.

    Source: Satterthwaite 1946 (doi:10.2307/3002019), as for random readers by Hillis 2007 (doi:10.1002/sim.2532). The sources of
    noise are the random effects of a mixed model with equally many values in each cell, where this is its moment estimate.
    """
    known = [(variance, freedom) for variance, freedom in parts if variance > 0]
    total = sum(variance for variance, _ in known)
    if not known:
        return Uncertainty(0.0, np.inf)
    lost = sum(variance**2 / freedom for variance, freedom in known)
    return Uncertainty(float(np.sqrt(total)), float(total**2 / lost) if lost else np.inf)


@lru_cache(maxsize=4096)
def _detectable_in_errors(freedom: float) -> float:
    from scipy import optimize

    limit = special.stdtrit(freedom, (1 + CONFIDENCE) / 2)
    # the noncentral t distribution as a mean over its estimated errors: that of scipy is NaN for large shifts
    errors = limit * np.sqrt(2 * special.gammaincinv(freedom / 2, (np.arange(_POINTS) + 0.5) / _POINTS) / freedom)

    def missing(shift: float) -> float:
        return float((special.ndtr(shift - errors) + special.ndtr(-shift - errors)).mean()) - POWER

    return float(optimize.brentq(missing, 0, 3 * limit + 3))
