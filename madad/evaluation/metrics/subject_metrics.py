"""From a map to one score a subject, and how well it tells subjects with lesions from healthy ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from madad.evaluation.metrics.ordinal_scores import to_scores
from madad.evaluation.metrics.voxel_metrics import average_precision

# The brightest voxels that `top100` looks at.
TOP = 100

# How brain voxels become one score: the mean sees large and faint lesions, the 99th percentile small and bright ones, the
# last two those of a few voxels.
REDUCTIONS: dict[str, Callable[[np.ndarray], float]] = {
    "mean": lambda scores: float(scores.mean()),
    "p99": lambda scores: float(np.percentile(scores, 99)),
    "max": lambda scores: float(scores.max()),
    "top100": lambda scores: float(np.partition(scores, -min(TOP, scores.size))[-TOP:].mean()),
}
# One more needs a threshold: millilitres of the brain above it.
VOLUME = "volume"

SPECIFICITIES = (90, 95)


def subject_scores(ordinals: np.ndarray) -> dict[str, float]:
    """Score of one subject under every reduction; NaN without brain voxels.

    Args:
        ordinals: (V,) uint16, post-processed scores of the brain voxels.
    """
    if not ordinals.size:
        return dict.fromkeys(REDUCTIONS, np.nan)
    scores = to_scores(ordinals).astype(np.float64)
    return {name: reduce(scores) for name, reduce in REDUCTIONS.items()}


def detection(healthy: np.ndarray, lesion: np.ndarray) -> dict[str, float]:
    """How well a score tells subjects with a lesion from healthy ones; NaN when a group is empty.

    `subject_auroc` as `rank_auroc`; `subject_ap` the average precision; `subject_sensitivity_90` and `_95` the largest share
    of subjects with a lesion above any threshold that at least 90 or 95 % of the healthy are not above.
    """
    auroc = rank_auroc(healthy, lesion)
    names = ("subject_ap", *(f"subject_sensitivity_{percent}" for percent in SPECIFICITIES))
    if not healthy.size or not lesion.size:
        return {"subject_auroc": auroc, **dict.fromkeys(names, np.nan)}
    values, place = np.unique(np.concatenate([healthy, lesion]), return_inverse=True)
    groups = np.arange(place.size) >= healthy.size
    counts = np.stack([np.bincount(place[groups == group], minlength=values.size) for group in (False, True)])
    # entry n: subjects above the n-th value, entry 0 all of them
    above = counts.sum(axis=1, keepdims=True) - np.cumsum(np.pad(counts, ((0, 0), (1, 0))), axis=1)
    allowed = [above[1][100 * above[0] <= (100 - percent) * healthy.size].max() for percent in SPECIFICITIES]
    reached = (float(average_precision(counts)), *(int(number) / lesion.size for number in allowed))
    return {"subject_auroc": auroc, **dict(zip(names, reached, strict=True))}


def rank_auroc(healthy: np.ndarray, lesion: np.ndarray) -> float:
    """Share of pairs in which the subject with a lesion scores higher, ties one half; NaN when a group is empty.

    Source: Hanley & McNeil 1982 (doi:10.1148/radiology.143.1.7063747).
    """
    if not healthy.size or not lesion.size:
        return float("nan")
    difference = lesion[:, None] - healthy[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())
