"""Values of metrics when a mask is empty, declared for every metric, so that none follows from 0/0 by accident.

NaN means that a metric is not defined; such values are written as NaN and counted, never dropped silently.
Source: the empty-set rules of Maier-Hein et al. 2024 (Metrics Reloaded, doi:10.1038/s41592-023-02151-z), with Dice and
precision of a missed or invented lesion set to the worst value, and a distance to nothing to the largest in the image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Empty(NamedTuple):
    """Values of one metric when both masks, only the prediction or only the reference is empty; None: the formula holds."""

    both: float | None
    prediction: float | None
    reference: float | None

    def value(self, prediction_empty: bool, reference_empty: bool) -> float | None:
        """Return the declared value, or None where the formula holds."""
        if prediction_empty and reference_empty:
            return self.both
        if prediction_empty:
            return self.prediction
        return self.reference if reference_empty else None


# Replaced by the diagonal of the image in mm, which `madad.evaluation.metrics.surfaces` measures.
IMAGE_DIAGONAL = np.inf

# Perfect when nothing is there and nothing is predicted, else the worst value.
WORST = Empty(both=1.0, prediction=0.0, reference=0.0)
# As before, but undefined without a lesion to find.
UNDEFINED_WITHOUT_LESION = Empty(both=1.0, prediction=0.0, reference=np.nan)
FARTHEST = Empty(both=0.0, prediction=IMAGE_DIAGONAL, reference=IMAGE_DIAGONAL)
# Whether `FARTHEST` stands for a distance that does not exist.
PENALISED = Empty(both=0.0, prediction=1.0, reference=1.0)
# Counts and volumes: the formula is right for empty masks too.
FORMULA = Empty(both=None, prediction=None, reference=None)

# Metrics that rank voxels have no prediction; without a lesion voxel, or without a healthy one, there is nothing to rank.
NOTHING_TO_RANK = np.nan
