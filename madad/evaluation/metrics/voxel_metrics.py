"""Voxel-wise metrics inside the brain, from counts of scores or from a confusion matrix. No sampling, no binning.

To add a metric, write its function here and one row in `madad.evaluation.results.metric_table`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from madad.evaluation.metrics.empty_masks import NOTHING_TO_RANK


def average_precision(counts: np.ndarray) -> np.ndarray:
    """Return the AUPRC as average precision Σ (R_n − R_{n−1}) P_n, a step sum and not a trapezoid; NaN without a lesion voxel.

    Source: Davis & Goadrich 2006 (doi:10.1145/1143844.1143874) on why not to interpolate; equals scikit-learn's.

    Args:
        counts: (..., 2, bins), healthy and lesion voxels per score, ascending.

    Returns:
        (...,) float64.
    """
    falling = counts[..., ::-1].astype(np.float64)
    caught, raised = np.cumsum(falling[..., 1, :], axis=-1), np.cumsum(falling.sum(axis=-2), axis=-1)
    precision = np.divide(caught, raised, out=np.zeros_like(caught), where=raised > 0)
    total = falling[..., 1, :].sum(axis=-1)
    area = (precision * falling[..., 1, :]).sum(axis=-1)
    return np.where(total > 0, area / np.where(total > 0, total, 1), NOTHING_TO_RANK)


def auroc(counts: np.ndarray) -> np.ndarray:
    """Return the AUROC as the Mann–Whitney probability that a lesion voxel scores higher than a healthy one, ties one half.

    Source: Hanley & McNeil 1982 (doi:10.1148/radiology.143.1.7063747). NaN without lesion or without healthy voxels.

    Args:
        counts: (..., 2, bins), healthy and lesion voxels per score, ascending.
    """
    healthy, lesion = counts[..., 0, :].astype(np.float64), counts[..., 1, :].astype(np.float64)
    below = np.cumsum(healthy, axis=-1) - healthy
    pairs = healthy.sum(axis=-1) * lesion.sum(axis=-1)
    won = (lesion * (below + healthy / 2)).sum(axis=-1)
    return np.where(pairs > 0, won / np.where(pairs > 0, pairs, 1), NOTHING_TO_RANK)


def partial_auroc(counts: np.ndarray, highest_rate: float = 0.05) -> float:
    """Return the area under the ROC curve up to a false-positive rate, standardised so that 0.5 is chance and 1 perfect.

    Source: McClish 1989 (doi:10.1177/0272989X8900900307); equals scikit-learn's `roc_auc_score(max_fpr=highest_rate)`.

    Args:
        counts: (2, bins), healthy and lesion voxels per score, ascending.
    """
    caught = np.cumsum(counts[:, ::-1], axis=1)
    if not counts.size or not caught[:, -1].all():
        return NOTHING_TO_RANK
    false, true = np.concatenate([np.zeros((2, 1)), caught / caught[:, -1:]], axis=1)
    stop = int(np.searchsorted(false, highest_rate, side="right"))
    false, true = np.append(false[:stop], highest_rate), np.append(true[:stop], np.interp(highest_rate, false, true))
    chance = highest_rate**2 / 2
    return float(0.5 * (1 + (np.trapezoid(true, false) - chance) / (highest_rate - chance)))


def prevalence(counts: np.ndarray) -> float:
    """Return the share of lesion voxels: the AUPRC of guessing."""
    total = int(counts.sum())
    return int(counts[1].sum()) / total if total else np.nan


def dice_curve(counts: np.ndarray) -> np.ndarray:
    """Return the Dice 2 TP / (2 TP + FP + FN) of "score > threshold" for every threshold; NaN without a lesion voxel.

    Args:
        counts: (2, bins).

    Returns:
        (bins + 1,): entry 0 takes every voxel, entry n + 1 those above the ordinal n.
    """
    total = counts.sum(axis=1)[:, None]
    above = total - np.concatenate([np.zeros((2, 1), dtype=counts.dtype), np.cumsum(counts, axis=1)], axis=1)
    if total[1, 0] == 0:
        return np.full(counts.shape[1] + 1, np.nan)
    return 2 * above[1] / (above.sum(axis=0) + total[1])


def precision_at_recall(counts: np.ndarray, recalls: np.ndarray) -> np.ndarray:
    """Return the highest precision among the thresholds that reach each recall (the upper envelope of the PR curve)."""
    caught = np.cumsum(counts[1, ::-1])
    raised = np.cumsum(counts[:, ::-1].sum(axis=0))
    precision = np.divide(caught, raised, out=np.zeros(caught.shape), where=raised > 0)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(caught / max(caught[-1], 1), recalls, side="left")
    return envelope[np.minimum(first, caught.size - 1)]


@dataclass(frozen=True)
class Confusion:
    """Brain voxels of one subject by prediction and reference.

    Attributes:
        tp: abnormal in both.
        fp: abnormal in the prediction alone.
        fn: abnormal in the reference alone.
        tn: normal in both.
        voxel_ml: volume of a voxel in millilitres; NaN where it is not known.
    """

    tp: int
    fp: int
    fn: int
    tn: int
    voxel_ml: float = np.nan

    @property
    def predicted_ml(self) -> float:
        """Volume of the prediction."""
        return (self.tp + self.fp) * self.voxel_ml


def confusion(prediction: np.ndarray, reference: np.ndarray, voxels: int | None = None, voxel_ml: float = np.nan) -> Confusion:
    """Count voxels.

    Args:
        prediction: bool of any shape, False outside the brain.
        reference: bool of the same shape, False outside the brain.
        voxels: number of voxels of the brain; by default all that are given.
        voxel_ml: volume of a voxel in millilitres, for the metrics that are volumes.
    """
    tp = int(np.count_nonzero(prediction & reference))
    fp, fn = int(np.count_nonzero(prediction)) - tp, int(np.count_nonzero(reference)) - tp
    return Confusion(tp, fp, fn, (prediction.size if voxels is None else voxels) - tp - fp - fn, voxel_ml)


def dice(cells: Confusion) -> float:
    """Return the overlap 2 TP / (2 TP + FP + FN)."""
    return _ratio(2 * cells.tp, 2 * cells.tp + cells.fp + cells.fn)


def precision(cells: Confusion) -> float:
    """Return the share of predicted voxels that belong to a lesion."""
    return _ratio(cells.tp, cells.tp + cells.fp)


def sensitivity(cells: Confusion) -> float:
    """Return the share of lesion voxels that are predicted."""
    return _ratio(cells.tp, cells.tp + cells.fn)


def false_positive_rate(cells: Confusion) -> float:
    """Return the share of healthy voxels that are predicted."""
    return _ratio(cells.fp, cells.fp + cells.tn)


def volume_error_ml(cells: Confusion) -> float:
    """Return the predicted minus the true lesion volume in millilitres."""
    return (cells.fp - cells.fn) * cells.voxel_ml


def false_positive_ml(cells: Confusion) -> float:
    """Return the volume of the false positives in millilitres."""
    return cells.fp * cells.voxel_ml


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else np.nan
