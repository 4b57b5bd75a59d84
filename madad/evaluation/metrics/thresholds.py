"""Choose the threshold of an anomaly map: one function per protocol. A voxel above the threshold is called abnormal.

Thresholds are ordinals of `madad.evaluation.metrics.ordinal_scores`, chosen on voxels, before small components are removed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from madad.evaluation.metrics.ordinal_scores import BINS, no_counts
from madad.evaluation.metrics.voxel_metrics import dice_curve


@dataclass(frozen=True)
class Choice:
    """A threshold, or the reason why there is none.

    Attributes:
        ordinal: voxels above it are abnormal; −1 takes all; None when it could not be chosen.
        reason: empty, or why not.
    """

    ordinal: int | None
    reason: str = ""


NO_LESION_TEST = "no test subject has a marked lesion"
NO_LESION_VALIDATION = "no validation subject has a marked lesion"
NO_HEALTHY = "there is no healthy validation subject"
TOO_FEW_HEALTHY = "healthy validation subjects are too few, 9 are needed"
# In the long table a reason is its place here, from 1.
REASONS = (NO_LESION_TEST, NO_LESION_VALIDATION, NO_HEALTHY, TOO_FEW_HEALTHY)


def reason_code(reason: str) -> int:
    """Return the place in `REASONS` of the words that a reason ends with, from 1; 0 for none.

    Raises:
        ValueError: the reason is not among them.
    """
    if not reason:
        return 0
    known = [place for place, words in enumerate(REASONS, start=1) if reason.endswith(words)]
    if not known:
        raise ValueError(f"{reason!r} is not among the reasons of the long table")
    return known[0]


@dataclass
class Evidence:
    """What a threshold may be chosen on; counts are (2, bins).

    Attributes:
        test: pooled voxels of the test subjects with a lesion.
        validation: pooled voxels of the validation subjects with a lesion.
        healthy: pooled voxels of the healthy validation subjects that choose thresholds (`madad.core.validation_parts`).
        dices: (bins + 1,) sum over the test subjects with a lesion of the mean Dice curve of their samples, as `dice_curve`
            counts thresholds.
        by_subject: for every healthy validation subject of the calibration the lowest threshold that leaves it `CONFORMAL_RATE`
            false positives.
        one_false_positive: what `madad.evaluation.protocol.false_positive_threshold` found.
    """

    test: np.ndarray = field(default_factory=no_counts)
    validation: np.ndarray = field(default_factory=no_counts)
    healthy: np.ndarray = field(default_factory=no_counts)
    dices: np.ndarray = field(default_factory=lambda: np.zeros(BINS + 1))
    by_subject: dict[str, int] = field(default_factory=dict)
    one_false_positive: Choice = Choice(None, NO_HEALTHY)


CONFORMAL_RATE = 0.01
# Split-conformal prediction: this many of 10 new healthy subjects keep to the rate.
CONFORMAL_TENTHS = 9


def best_dice(counts: np.ndarray) -> int:
    """Return the threshold with the highest pooled Dice (⌈DSC⌉ of Baur et al. 2021, doi:10.1016/j.media.2020.101952).

    Exact over all scores, where published code halves intervals. Among equals the lowest, as there.
    """
    return int(np.argmax(dice_curve(counts))) - 1


def healthy_quantile(counts: np.ndarray, rate: float) -> int:
    """Return the lowest threshold at which at most the share `rate` of healthy voxels is called abnormal.

    Source: the healthy-voxel false-positive rate of Bercea et al. 2023 (doi:10.1007/978-3-031-43904-9_29).
    """
    healthy = counts[0]
    above = healthy.sum() - np.cumsum(healthy)
    return int(np.argmax(above <= rate * healthy.sum()))


def lowest_with_share_above(voxels: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the lowest thresholds at which at most these shares of voxels lie above, different ones alone, falling.

    Args:
        voxels: (bins,) counts, not all 0.
        shares: (N,).
    """
    above = voxels.sum() - np.cumsum(voxels)
    return np.unique(np.searchsorted(-above, -shares * voxels.sum()))[::-1]


def conformal(by_subject: list[int]) -> Choice:
    """Return the threshold at which a new healthy subject keeps to the rate with 90 % probability (split-conformal prediction).

    Of n subjects exchangeable with the new one it is the ⌈0.9 (n + 1)⌉-th smallest of their own thresholds, which needs
    n ≥ 9. Source: Vovk et al. 2005 (doi:10.1007/b106715); Angelopoulos & Bates 2021 (arXiv 2107.07511), section 1.

    Args:
        by_subject: as in `Evidence`.
    """
    position = -(-(len(by_subject) + 1) * CONFORMAL_TENTHS // 10)
    if position > len(by_subject):
        return Choice(None, f"{len(by_subject)} {TOO_FEW_HEALTHY}")
    return Choice(sorted(by_subject)[position - 1])


def pooled_best(evidence: Evidence) -> Choice:
    """Choose the threshold with the best pooled Dice on the test subjects with a lesion."""
    return Choice(best_dice(evidence.test)) if evidence.test[1].any() else Choice(None, NO_LESION_TEST)


def oracle(evidence: Evidence) -> Choice:
    """Choose the best threshold for the mean of the subjects' Dice, the lowest among equals ("optimal" of arXiv 2512.01534).

    It is the best as long as no small component is removed; see `madad.evaluation.protocol.oracle` for the rest.
    """
    return Choice(int(np.argmax(evidence.dices)) - 1) if evidence.test[1].any() else Choice(None, NO_LESION_TEST)


def validation(evidence: Evidence) -> Choice:
    """Choose the threshold with the best pooled Dice on the validation subjects with a lesion."""
    return Choice(best_dice(evidence.validation)) if evidence.validation[1].any() else Choice(None, NO_LESION_VALIDATION)


def healthy_rate(rate: float) -> Callable[[Evidence], Choice]:
    """Return the function that chooses the threshold below which all but this share of healthy validation voxels lie."""

    def choose(evidence: Evidence) -> Choice:
        if not evidence.healthy[0].any():
            return Choice(None, NO_HEALTHY)
        return Choice(healthy_quantile(evidence.healthy, rate))

    return choose


def conformal_rate(evidence: Evidence) -> Choice:
    """Choose the threshold of `conformal` from the healthy validation subjects."""
    return conformal(list(evidence.by_subject.values()))


def one_false_positive(evidence: Evidence) -> Choice:
    """Return what `madad.evaluation.protocol.false_positive_threshold` found."""
    return evidence.one_false_positive
