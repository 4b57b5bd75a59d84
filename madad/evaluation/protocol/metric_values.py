"""Compute every metric of a family from the rows of the table of metrics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from madad.evaluation.metrics.empty_masks import BRAIN_DIAGONAL, FORMULA, OURS, Convention
from madad.evaluation.metrics.lesion_detection import LesionCounts
from madad.evaluation.metrics.reconstruction import Reconstruction
from madad.evaluation.metrics.subject_metrics import SubjectScores
from madad.evaluation.metrics.surfaces import Surface, surface_distances
from madad.evaluation.metrics.voxel_metrics import Confusion
from madad.evaluation.results.metric_table import of_family

Values = dict[str, float]


def ranking_values(counts: np.ndarray) -> Values:
    """Return what a sample's counts (2, bins) give without a threshold, by the names of the metrics."""
    return {metric.name: metric.value(counts) for metric in of_family("ranking")}


def voxel_values(cells: Confusion, convention: Convention = OURS) -> Values:
    """Return every voxel-wise metric of a binary prediction."""
    empty = (cells.tp + cells.fp == 0, cells.tp + cells.fn == 0)
    return {metric.name: metric.value(cells, *empty, convention) for metric in of_family("voxels")}


def lesion_values(counts: LesionCounts, convention: Convention = OURS) -> Values:
    """Return every lesion-wise metric of a binary prediction.

    Where all lesions are too small to count, what is declared for empty masks is NaN instead: nothing is known, and an empty
    prediction must not look perfect.
    """
    empty = (counts.predicted == 0, counts.lesions == 0)
    unknown = {metric.name for metric in of_family("lesions") if counts.specks and metric.empty != FORMULA}
    values = {metric.name: metric.value(counts, *empty, convention) for metric in of_family("lesions")}
    return {name: np.nan if name in unknown else value for name, value in values.items()}


def surface_values(
    prediction: np.ndarray,
    reference: np.ndarray,
    spacing_mm: Sequence[float],
    convention: Convention = OURS,
    known: Surface | None = None,
) -> Values:
    """Return every metric of the surfaces of two masks.

    Args:
        prediction: (S, H, W) bool; where a mask is empty, in the box whose diagonal stands for the distance.
        reference: (S, H, W) bool.
        spacing_mm: voxel size in the same order.
        convention: values for empty masks.
        known: surface of the reference, if it has been measured.
    """
    empty = (not prediction.any(), not reference.any())
    distances = surface_distances(prediction, reference, spacing_mm, known)
    values = {metric.name: metric.value(distances, *empty, convention) for metric in of_family("surfaces")}
    return {name: distances.diagonal if any(empty) and value == BRAIN_DIAGONAL else value for name, value in values.items()}


def reconstruction_values(one: Reconstruction, healthy: bool) -> Values:
    """Return how well a healthy brain is reproduced, or what is left of the lesions of another."""
    return {metric.name: metric.value(one) for metric in of_family("reconstruction") if metric.belongs_to(healthy)}


def detection_values(healthy: np.ndarray, lesion: np.ndarray) -> Values:
    """Return how well a score separates subjects with a lesion from healthy ones; NaN when a group is empty.

    Args:
        healthy: (N,) scores.
        lesion: (M,) scores.
    """
    scores = SubjectScores(healthy, lesion)
    return {metric.name: metric.value(scores) for metric in of_family("subjects")}
