"""Scores of one anomaly map against a reference mask, without thresholds of other images and without post-processing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from madad.core.errors import UserError
from madad.evaluation.metrics import lesion_detection, surfaces, voxel_metrics


def average_precision(reference: np.ndarray, scores: np.ndarray) -> float:
    """Return the AUPRC as average precision Σ (R_n − R_{n−1}) P_n; NaN without a lesion voxel.

    Source: Davis & Goadrich 2006 (doi:10.1145/1143844.1143874) on why not to interpolate. Ties count as one threshold.

    Args:
        reference: True inside a lesion, any shape.
        scores: of the same shape, larger where more abnormal, on any scale.
    """
    from sklearn.metrics import average_precision_score

    truth = np.asarray(reference).ravel() > 0
    return float(average_precision_score(truth, np.asarray(scores, dtype=np.float64).ravel())) if truth.any() else np.nan


def auroc(reference: np.ndarray, scores: np.ndarray) -> float:
    """Return the probability that a lesion voxel scores higher than a healthy one, ties one half; NaN without either.

    Source: Hanley & McNeil 1982 (doi:10.1148/radiology.143.1.7063747). Arguments as of `average_precision`.
    """
    from sklearn.metrics import roc_auc_score

    truth = np.asarray(reference).ravel() > 0
    return float(roc_auc_score(truth, np.asarray(scores, dtype=np.float64).ravel())) if 0 < truth.sum() < truth.size else np.nan


def best_dice(reference: np.ndarray, scores: np.ndarray) -> float:
    """Return the highest Dice of "score > threshold" over all thresholds, which has seen the reference: a ceiling.

    Arguments as of `average_precision`. NaN without a lesion voxel.
    """
    truth = np.asarray(reference).ravel() > 0
    if not truth.any():
        return np.nan
    values = np.asarray(scores, dtype=np.float64).ravel()
    order = np.argsort(-values, kind="stable")
    last_of_ties = np.append(np.diff(values[order]) != 0, True)
    caught = np.cumsum(truth[order])[last_of_ties]
    raised = (np.arange(values.size) + 1)[last_of_ties]
    return float((2 * caught / (raised + truth.sum())).max())


def score(
    anomaly_map: np.ndarray,
    reference: np.ndarray,
    brain: np.ndarray,
    spacing_mm: Sequence[float],
    threshold: float | None = None,
) -> dict[str, float]:
    """Return what one map says of one reference mask, within the brain; arguments, values and errors as of `madad.api.score`."""
    arrays = {"anomaly_map": np.asarray(anomaly_map), "reference": np.asarray(reference), "brain": np.asarray(brain)}
    _check(arrays)
    inside = arrays["brain"] > 0
    truth, scores = (arrays["reference"] > 0) & inside, np.where(inside, arrays["anomaly_map"], 0)
    pair = truth[inside], scores[inside]
    found = {
        "auprc": average_precision(*pair),
        "auroc": auroc(*pair),
        "dice_best": best_dice(*pair),
        "prevalence": float(pair[0].mean()) if pair[0].size else np.nan,
    }
    if threshold is None:
        return found
    return {**found, **compare((scores > threshold) & inside, truth, inside, spacing_mm)}


def compare(prediction: np.ndarray, reference: np.ndarray, brain: np.ndarray, spacing_mm: Sequence[float]) -> dict[str, float]:
    """Return the measures of a binary prediction, see `score`.

    Args:
        prediction: 3D bool, False outside the brain.
        reference: 3D bool, False outside the brain.
        brain: 3D bool.
        spacing_mm: edges of a voxel along the three axes, mm.
    """
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    cells = voxel_metrics.confusion(prediction, reference, int(brain.sum()), voxel_ml)
    labels, number = lesion_detection.label(reference)
    matched = lesion_detection.match(prediction, labels, number, lesion_detection.voxels(labels, number))
    distances = surfaces.surface_distances(prediction, reference, spacing_mm)
    known = distances.there.size and distances.back.size
    return {
        "dice": voxel_metrics.dice(cells),
        "sensitivity": voxel_metrics.sensitivity(cells),
        "precision": voxel_metrics.precision(cells),
        "false_positive_rate": voxel_metrics.false_positive_rate(cells),
        "hd95": surfaces.hd95(distances) if known else np.nan,
        "nsd_2mm": surfaces.nsd_2mm(distances) if known else np.nan,
        "lesions": float(number),
        "lesion_sensitivity": matched.found / number if number else np.nan,
        "false_positive_components": float(matched.false_positives),
        "predicted_ml": cells.predicted_ml,
        "lesion_ml": float(reference.sum()) * voxel_ml,
    }


def _check(arrays: dict[str, np.ndarray]) -> None:
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or len(shapes["brain"]) != 3:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise UserError(f"score: three 3D arrays on one grid are needed, not {listed}")
    scores, inside = arrays["anomaly_map"], arrays["brain"] > 0
    bad = int((~np.isfinite(scores[inside])).sum())
    if bad:
        raise UserError(f"score: anomaly_map is NaN or infinite in {bad} voxels of the brain; write finite numbers")
