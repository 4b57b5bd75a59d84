"""What preprocessing measures on every image, so that a bad one is found without looking at all."""

from __future__ import annotations

import numpy as np

from madad.manifest import COLUMNS as MANIFEST_COLUMNS
from madad.manifest import Row
from madad.preprocessing.registration import normalised_mutual_information
from madad.template import Template
from madad.volumes import Volume

PERCENTILES = (1, 25, 50, 75, 99)
MEASURES = (
    "brain_volume_ml",
    "registration_nmi",
    "template_dice",
    "reference_dice",
    *(f"intensity_p{percentile}" for percentile in PERCENTILES),
    "lesion_native_ml",
    "lesion_ml",
    "lesion_outside",
)
FILES = ("image", "brain", "lesion", "picture", "transform")
COLUMNS = (*MANIFEST_COLUMNS, "status", "reason", "warning", *FILES, *MEASURES, "seconds")

# Flags, never reasons to drop: adult brains outside this range are rare, and a brain that covers the template less than
# this was stripped or registered badly.
BRAIN_VOLUME_ML = (900.0, 2200.0)
LEAST_TEMPLATE_DICE = 0.88
# Part of a lesion that may lie outside the brain mask.
MOST_LESION_OUTSIDE = 0.1


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Overlap of two masks, 0 to 1; 1 when both are empty (Dice 1945, doi:10.2307/1932409)."""
    first, second = first > 0, second > 0
    total = int(first.sum()) + int(second.sum())
    return 2.0 * int((first & second).sum()) / total if total else 1.0


def measure(image: Volume, brain: np.ndarray, template: Template) -> Row:
    """Similarity to the template and intensity landmarks of one registered image.

    Args:
        image: intensities in template space, 0 outside the brain.
        brain: (I, J, K) mask.
    """
    inside = brain > 0
    landmarks = np.percentile(image.array[inside], PERCENTILES)
    compared = (template.brain.array > 0) | inside
    row = {f"intensity_p{p}": f"{value:.5g}" for p, value in zip(PERCENTILES, landmarks, strict=True)}
    row["registration_nmi"] = f"{normalised_mutual_information(image.array, template.t1w.array, compared):.4f}"
    row["template_dice"] = f"{dice(brain, template.brain.array):.4f}"
    return row


def warnings(row: Row) -> str:
    """What in a row of measures deserves a look, joined by semicolons; empty when nothing does."""
    found = []
    low, high = BRAIN_VOLUME_ML
    if not low <= float(row["brain_volume_ml"]) <= high:
        found.append(f"brain volume {float(row['brain_volume_ml']):.0f} ml is outside {low:.0f} to {high:.0f} ml")
    if float(row["template_dice"]) < LEAST_TEMPLATE_DICE:
        found.append(f"Dice {row['template_dice']} with the template's brain is below {LEAST_TEMPLATE_DICE}")
    if row.get("lesion_native_ml") and float(row["lesion_ml"]) == 0:
        found.append(f"the lesion of {row['lesion_native_ml']} ml vanished on the grid of the template")
    if row.get("lesion_outside") and float(row["lesion_outside"]) > MOST_LESION_OUTSIDE:
        found.append(f"{float(row['lesion_outside']):.0%} of the lesion lies outside the brain mask")
    return "; ".join(found)
