"""The corruptions and their strength at each severity, in one table.

There are five levels, as in ROOD-MRI (Boone et al. 2022, arXiv 2203.06060), from hardly visible to unacceptable in a clinic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from madad.core.shapes import Vector3
from madad.data.corruptions.motion import motion
from madad.data.corruptions.resolution import blur, thick_slices
from madad.data.corruptions.signal import bias_field, contrast, noise

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """One kind of artefact.

    Attributes:
        apply: maps (image, brain, spacing_mm, strength, generator) to the image with the artefact, not yet in [0, 1].
        strengths: strength at each of `SEVERITIES`.
        shown: format of a strength in tables and figures.
        title: name in tables and figures.
    """

    apply: Callable[..., np.ndarray]
    strengths: tuple[float, ...]
    shown: str
    title: str


CORRUPTIONS = {
    # the noise levels of BrainWeb's simulated brain database, there in per cent of the brightest tissue
    "noise": Corruption(noise, (0.01, 0.03, 0.05, 0.07, 0.09), "σ = {0:g}", "Noise"),
    # BrainWeb has 20 % and 40 %, which are ± 0.1 and ± 0.2; those beyond are ours
    "bias_field": Corruption(bias_field, (0.1, 0.2, 0.3, 0.4, 0.5), "1 ± {0:g}", "Bias field"),
    # the turns of ROOD-MRI; its displacements are twice ours
    "motion": Corruption(motion, (1.0, 2.0, 3.0, 4.0, 5.0), "{0:g}°, {0:g} mm", "Motion"),
    # ROOD-MRI's `Smoothing`
    "blur": Corruption(blur, (0.8, 1.6, 2.4, 3.2, 4.0), "σ = {0:g} mm", "Blur"),
    # ours: from a thin clinical protocol to the 10 mm at which ROOD-MRI ends
    "thick_slices": Corruption(thick_slices, (4.0, 5.0, 6.0, 8.0, 10.0), "{0:g} mm", "Thick slices"),
    # ours: γ from 0.37 to 2.7; ROOD-MRI ends at 0.3 and 3
    "contrast": Corruption(contrast, (0.2, 0.4, 0.6, 0.8, 1.0), "|ln γ| = {0:g}", "Contrast"),
}


def corrupt(
    kind: str,
    severity: int,
    image: np.ndarray,
    brain: np.ndarray,
    spacing_mm: Vector3,
    generator: np.random.Generator,
) -> np.ndarray:
    """Apply one corruption to one volume.

    Given equal generators, severities differ only in strength: the noise, the field and the movement are the same.

    Args:
        kind: a key of `CORRUPTIONS`.
        severity: one of `SEVERITIES`.
        image: (S, H, W) in [0, 1], 0 outside the brain.
        brain: (S, H, W) bool, not empty.
        spacing_mm: edge lengths of a voxel along (S, H, W).
        generator: source of all random numbers.

    Returns:
        (S, H, W) float64, at least 0, exactly 0 outside the brain; the intensity normalisation handles values above 1.
    """
    corruption = CORRUPTIONS[kind]
    strength = corruption.strengths[SEVERITIES.index(severity)]
    changed = corruption.apply(np.asarray(image, dtype=np.float64), brain, spacing_mm, strength, generator)
    return np.where(brain, changed, 0.0)
