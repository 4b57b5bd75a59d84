"""One score per subject from its map, and how well the score separates subjects with lesions from healthy ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from madad.evaluation.metrics.ordinal_scores import HALF, ScoreCode, to_scores
from madad.evaluation.metrics.voxel_metrics import average_precision

# The brightest voxels that `top100` looks at.
TOP = 100


def mean_score(scores: np.ndarray) -> float:
    """Return the mean of the brain's scores (V,), which sees large and faint lesions."""
    return float(scores.mean())


def percentile_99(scores: np.ndarray) -> float:
    """Return the 99th percentile of the brain's scores (V,), which sees small and bright lesions."""
    return float(np.percentile(scores, 99))


def highest(scores: np.ndarray) -> float:
    """Return the highest of the brain's scores (V,), which sees lesions of a few voxels."""
    return float(scores.max())


def mean_of_highest(scores: np.ndarray) -> float:
    """Return the mean of the 100 highest of the brain's scores (V,), which sees lesions of a few voxels."""
    return float(np.partition(scores, -min(TOP, scores.size))[-TOP:].mean())


def score_values(ordinals: np.ndarray, code: ScoreCode = HALF) -> np.ndarray:
    """Return the scores (V,) float64 of ordinals (V,) uint16."""
    return to_scores(ordinals, code).astype(np.float64)


@dataclass(frozen=True)
class SubjectScores:
    """One score of every test sample.

    Attributes:
        healthy: (N,) of the healthy.
        lesion: (M,) of those with a lesion.
    """

    healthy: np.ndarray
    lesion: np.ndarray

    @cached_property
    def counts(self) -> np.ndarray | None:
        """Subjects (2, values) at every score, ascending: row 0 healthy, row 1 with a lesion; None when a group is empty."""
        if not self.healthy.size or not self.lesion.size:
            return None
        values, places = np.unique(np.concatenate([self.healthy, self.lesion]), return_inverse=True)
        groups = np.arange(places.size) >= self.healthy.size
        return np.stack([np.bincount(places[groups == group], minlength=values.size) for group in (False, True)])


def subject_auroc(scores: SubjectScores) -> float:
    """Return `rank_auroc` of the two groups."""
    return rank_auroc(scores.healthy, scores.lesion)


def subject_ap(scores: SubjectScores) -> float:
    """Return the average precision of finding the subjects with a lesion; NaN when a group is empty."""
    return np.nan if scores.counts is None else float(average_precision(scores.counts))


def subject_sensitivity_90(scores: SubjectScores) -> float:
    """Return the sensitivity at a specificity of 90 %."""
    return _sensitivity_at(scores, 90)


def subject_sensitivity_95(scores: SubjectScores) -> float:
    """Return the sensitivity at a specificity of 95 %."""
    return _sensitivity_at(scores, 95)


def _sensitivity_at(scores: SubjectScores, percent: int) -> float:
    """Return the largest share of subjects with a lesion above any score that this percentage of the healthy are not above."""
    counts = scores.counts
    if counts is None:
        return np.nan
    # entry n: subjects above the n-th value, entry 0 all of them
    above = counts.sum(axis=1, keepdims=True) - np.cumsum(np.pad(counts, ((0, 0), (1, 0))), axis=1)
    allowed = above[1][100 * above[0] <= (100 - percent) * scores.healthy.size].max()
    return int(allowed) / scores.lesion.size


def rank_auroc(healthy: np.ndarray, lesion: np.ndarray) -> float:
    """Return the share of pairs in which the subject with a lesion scores higher, ties one half; NaN when a group is empty.

    Source: Hanley & McNeil 1982 (doi:10.1148/radiology.143.1.7063747).
    """
    if not healthy.size or not lesion.size:
        return float("nan")
    difference = lesion[:, None] - healthy[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())
