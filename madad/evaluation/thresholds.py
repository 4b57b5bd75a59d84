"""Where to cut an anomaly map: one function a protocol. A voxel is called abnormal when its score is above the threshold.

Thresholds are ordinals of `madad.evaluation.scores`; they are chosen on voxels, before small components are removed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from madad.evaluation.voxel_metrics import dice_curve


@dataclass(frozen=True)
class Evidence:
    """Counts (2, bins) that a threshold may be chosen on.

    Attributes:
        test: pooled voxels of the test subjects with a lesion.
        validation: pooled voxels of the validation subjects with a lesion.
        healthy: pooled voxels of the healthy validation subjects.
    """

    test: np.ndarray
    validation: np.ndarray
    healthy: np.ndarray


@dataclass(frozen=True)
class Choice:
    """A threshold, or the reason why there is none.

    Attributes:
        ordinal: voxels above it are abnormal; −1 takes all; None when it could not be chosen.
        reason: empty, or why not.
    """

    ordinal: int | None
    reason: str = ""


def best_dice(counts: np.ndarray) -> int:
    """Threshold with the highest pooled Dice (⌈DSC⌉ of Baur et al. 2021, doi:10.1016/j.media.2020.101952).

    Exact over all scores, where published code halves intervals. Among equals the lowest, as there.
    """
    return int(np.argmax(dice_curve(counts))) - 1


def healthy_quantile(counts: np.ndarray, rate: float) -> int:
    """Lowest threshold at which at most the share `rate` of healthy voxels is called abnormal.

    Source: the healthy-voxel false-positive rate of Bercea et al. 2023 (doi:10.1007/978-3-031-43904-9_29).
    """
    healthy = counts[0]
    above = healthy.sum() - np.cumsum(healthy)
    return int(np.argmax(above <= rate * healthy.sum()))


def _oracle(evidence: Evidence) -> Choice:
    if not evidence.test[1].any():
        return Choice(None, "no test subject has a lesion")
    return Choice(best_dice(evidence.test))


def _validation(evidence: Evidence) -> Choice:
    if not evidence.validation[1].any():
        return Choice(None, "no validation subject has a lesion")
    return Choice(best_dice(evidence.validation))


def _healthy(rate: float) -> Callable[[Evidence], Choice]:
    def choose(evidence: Evidence) -> Choice:
        if not evidence.healthy[0].any():
            return Choice(None, "there is no healthy validation subject")
        return Choice(healthy_quantile(evidence.healthy, rate))

    return choose


# `oracle_test` sees the test labels: a ceiling, never an achievement. Whoever prints it says so.
PROTOCOLS: dict[str, Callable[[Evidence], Choice]] = {
    "oracle_test": _oracle,
    "validation": _validation,
    "healthy_fpr_1": _healthy(0.01),
    "healthy_fpr_5": _healthy(0.05),
}

# The best threshold of each subject by its own truth: the ceiling of ceilings.
ORACLE_SUBJECT = "oracle_subject"


def choose(evidence: Evidence) -> dict[str, Choice]:
    """Threshold of every protocol."""
    return {name: protocol(evidence) for name, protocol in PROTOCOLS.items()}
