"""Measures of every preprocessed image, so that bad ones are found without looking at all of them."""

from __future__ import annotations

import numpy as np

from madad.core.io.manifest import Row
from madad.core.io.volumes import Volume
from madad.data.preprocessing.quality_columns import PERCENTILES
from madad.data.preprocessing.steps.mutual_information import normalised_mutual_information
from madad.data.template import Template


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return the overlap of two masks, 0 to 1; 1 when both are empty (Dice 1945, doi:10.2307/1932409)."""
    first, second = first > 0, second > 0
    total = int(first.sum()) + int(second.sum())
    return 2.0 * int((first & second).sum()) / total if total else 1.0


def measure(image: Volume, brain: np.ndarray, template: Template | None) -> Row:
    """Measure the similarity to the template and intensity landmarks of one registered image.

    Args:
        image: intensities in template space, 0 outside the brain.
        brain: (I, J, K) mask.
        template: the template on the same grid; None for an image that was not registered.
    """
    inside = brain > 0
    landmarks = np.percentile(image.array[inside], PERCENTILES)
    row = {f"intensity_p{p}": f"{value:.5g}" for p, value in zip(PERCENTILES, landmarks, strict=True)}
    if template is None:
        return row
    compared = (template.brain.array > 0) | inside
    row["registration_nmi"] = f"{normalised_mutual_information(image.array, template.t1w.array, compared):.4f}"
    row["template_dice"] = f"{dice(brain, template.brain.array):.4f}"
    return row


def warnings(row: Row) -> str:
    """Return warnings that need no limit; empty when there are none. `quality_control` compares measures with limits."""
    if row.get("lesion_native_ml") and float(row["lesion_ml"]) == 0:
        return f"the lesion of {row['lesion_native_ml']} ml vanished on the grid of the template"
    return ""
