"""Values of metrics when a mask is empty, declared for every metric, so that none follows from 0/0 by accident.

The field has not agreed on them: `CONVENTIONS` holds ours and those of other packages, by name.

NaN means that a metric is not defined; such values are written as NaN and counted, never dropped silently.
Source: the empty-set rules of Maier-Hein et al. 2024 (Metrics Reloaded, doi:10.1038/s41592-023-02151-z), with Dice and
precision of a missed or invented lesion set to the worst value, and a distance to nothing to the largest in the brain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from madad.core.errors import UserError


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


# Replaced by the diagonal of the box around the brain in mm, which `madad.evaluation.metrics.surfaces` measures.
BRAIN_DIAGONAL = np.inf

# Perfect when nothing is there and nothing is predicted, else the worst value.
WORST = Empty(both=1.0, prediction=0.0, reference=0.0)
# As before, but undefined without a lesion to find.
UNDEFINED_WITHOUT_LESION = Empty(both=1.0, prediction=0.0, reference=np.nan)
FARTHEST = Empty(both=0.0, prediction=BRAIN_DIAGONAL, reference=BRAIN_DIAGONAL)
# Whether `FARTHEST` stands for a distance that does not exist.
PENALISED = Empty(both=0.0, prediction=1.0, reference=1.0)
# Counts and volumes: the formula is right for empty masks too.
FORMULA = Empty(both=None, prediction=None, reference=None)

# Metrics that rank voxels have no prediction; without a lesion voxel, or without a healthy one, there is nothing to rank.
NOTHING_TO_RANK = np.nan


@dataclass(frozen=True)
class Convention:
    """Values for empty masks that somebody has settled on.

    Attributes:
        name: in the configuration.
        note: what differs from the others, in a sentence.
        values: by metric, where they are not those of the table of metrics, which are ours.
    """

    name: str
    note: str
    values: Mapping[str, Empty] = field(default_factory=dict)


OURS = Convention(
    "madad",
    "where nothing is predicted Dice, F1 and NSD are 0 and HD95 is the diagonal of the brain's box; "
    "where nothing is there either, Dice, F1 and NSD are 1 and HD95 is 0",
)
METRICS_RELOADED = Convention(
    "metrics_reloaded",
    "as in MetricsReloaded since 2025: where nothing is predicted Dice, F1 and NSD are 0 and HD95 has no value, so that it is a "
    "mean over the other samples; where nothing is there either, Dice, F1 and NSD are 1, precision and sensitivity have no value",
    {
        "precision": Empty(both=np.nan, prediction=0.0, reference=0.0),
        "sensitivity": Empty(both=np.nan, prediction=0.0, reference=np.nan),
        "hd95": Empty(both=0.0, prediction=np.nan, reference=np.nan),
        "hd95_penalty": Empty(both=0.0, prediction=0.0, reference=0.0),
    },
)
# The presets of panoptica 2.1.7 (`panoptica_evaluator_<name>.yaml`) have the same values for empty masks. They say nothing of
# HD95 and NSD, which keep ours; the average distance that they do name is infinite where HD95 here is the diagonal.
_PANOPTICA = {
    "dice": Empty(both=np.nan, prediction=0.0, reference=0.0),
    "lesion_f1": Empty(both=np.nan, prediction=0.0, reference=0.0),
}


def _panoptica(name: str, preset: str) -> Convention:
    note = (
        f"as in panoptica's preset {preset}: where nothing is predicted Dice and F1 are 0; where nothing is there either, they "
        "have no value; HD95 and NSD, which it does not name, are those of madad"
    )
    return Convention(name, note, _PANOPTICA)


CONVENTIONS = {
    one.name: one
    for one in (
        OURS,
        METRICS_RELOADED,
        _panoptica("panoptica_brats", "BRATS"),
        _panoptica("panoptica_isles", "ISLES"),
        _panoptica("panoptica_binary_ms", "binaryMS"),
    )
}


def convention(name: str) -> Convention:
    """Return the convention of a name.

    Raises:
        UserError: there is none.
    """
    if name not in CONVENTIONS:
        raise UserError(f"evaluation.empty_masks: {name} is no convention; take one of {', '.join(CONVENTIONS)}")
    return CONVENTIONS[name]
