"""From a map to one score a subject, and how well it tells subjects with lesions from healthy ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from madad.evaluation.scores import to_scores

# How brain voxels become one score: the mean sees large and faint lesions, the 99th percentile small and bright ones.
REDUCTIONS: dict[str, Callable[[np.ndarray], float]] = {
    "mean": lambda scores: float(scores.mean()),
    "p99": lambda scores: float(np.percentile(scores, 99)),
}


def subject_scores(ordinals: np.ndarray) -> dict[str, float]:
    """Score of one subject under every reduction; NaN without brain voxels.

    Args:
        ordinals: (V,) uint16, post-processed scores of the brain voxels.
    """
    if not ordinals.size:
        return dict.fromkeys(REDUCTIONS, np.nan)
    scores = to_scores(ordinals).astype(np.float64)
    return {name: reduce(scores) for name, reduce in REDUCTIONS.items()}


def rank_auroc(healthy: np.ndarray, lesion: np.ndarray) -> float:
    """Share of pairs in which the subject with a lesion scores higher, ties one half; NaN when a group is empty.

    Source: Hanley & McNeil 1982 (doi:10.1148/radiology.143.1.7063747).
    """
    if not healthy.size or not lesion.size:
        return float("nan")
    difference = lesion[:, None] - healthy[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())
