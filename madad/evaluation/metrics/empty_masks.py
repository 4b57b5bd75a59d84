"""What a metric is worth when a mask is empty: a declared table, so that no case is an accident of 0/0.

NaN stands where a metric has no meaning; such values are written out as NaN and counted, never dropped in silence.
Source: the empty-set rules of Maier-Hein et al. 2024 (Metrics Reloaded, doi:10.1038/s41592-023-02151-z), with Dice and
precision of a missed or invented lesion set to the worst value, and a distance to nothing to the largest in the image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Empty(NamedTuple):
    """Values of one metric when both masks, only the prediction or only the reference are empty."""

    both: float
    prediction: float
    reference: float


# Stands for the diagonal of the image in mm, which `madad.evaluation.metrics.surfaces` knows.
IMAGE_DIAGONAL = np.inf

EMPTY = {
    "dice": Empty(both=1.0, prediction=0.0, reference=0.0),
    "precision": Empty(both=1.0, prediction=0.0, reference=0.0),
    "sensitivity": Empty(both=1.0, prediction=0.0, reference=np.nan),
    "lesion_sensitivity": Empty(both=1.0, prediction=0.0, reference=np.nan),
    "lesion_sensitivity_iou": Empty(both=1.0, prediction=0.0, reference=np.nan),
    "lesion_precision": Empty(both=1.0, prediction=0.0, reference=0.0),
    "lesion_f1": Empty(both=1.0, prediction=0.0, reference=0.0),
    "hd95": Empty(both=0.0, prediction=IMAGE_DIAGONAL, reference=IMAGE_DIAGONAL),
    "nsd_2mm": Empty(both=1.0, prediction=0.0, reference=0.0),
}

# Metrics that rank voxels have no prediction; without a lesion voxel, or without a healthy one, there is nothing to rank.
NOTHING_TO_RANK = np.nan


def empty_value(metric: str, prediction_empty: bool, reference_empty: bool) -> float | None:
    """Declared value of a metric, or None when no mask is empty and the formula holds.

    Raises:
        KeyError: the metric has no row in the table.
    """
    rule = EMPTY[metric]
    if prediction_empty and reference_empty:
        return rule.both
    if prediction_empty:
        return rule.prediction
    return rule.reference if reference_empty else None
