"""Location of every image of a session: its brain mask, its map to the reference sequence, and from there to the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from madad.core.io.volumes import Volume
from madad.data import template
from madad.data.preprocessing.session_log import SessionLog
from madad.data.preprocessing.skull_stripping import strippers
from madad.data.preprocessing.steps import bias_field, coregistration, orientation, own_space, registration
from madad.data.preprocessing.steps.session_images import Head

# The contrast of the template, and the sequence that shows brain and skull best.
PREFERRED = "T1w"


@dataclass(frozen=True)
class Reference:
    """The image of a session on which the brain was found, and which is registered to the template.

    Attributes:
        head: the image.
        mask: its brain mask, uint8, on the grid where it was found.
        to_template: (4, 4), points of the template to points of this image.
        brain: bool mask on the working grid.
    """

    head: Head
    mask: Volume
    to_template: np.ndarray
    brain: np.ndarray


@dataclass(frozen=True)
class Location:
    """Where one image lies.

    Attributes:
        head: the image.
        reference: the image whose brain mask and registration are used; it may be the image itself.
        to_reference: (4, 4), points of the reference to points of this image; the identity for the reference itself.
        nmi: similarity to the reference, None for the reference itself.
        warning: what went wrong without making the image unusable; empty if nothing did.
    """

    head: Head
    reference: Reference
    to_reference: np.ndarray
    nmi: float | None = None
    warning: str = ""

    @property
    def to_template(self) -> np.ndarray:
        """Points of the template to points of this image, so that its voxels are interpolated once."""
        return self.to_reference @ self.reference.to_template

    @property
    def aligned_to(self) -> str:
        """Modality of the reference; empty for an image that is its own reference."""
        return "" if self.head is self.reference.head else self.reference.head.row["modality"]

    def brain_on(self, grid: Volume) -> np.ndarray:
        """Return the brain mask on a grid in this image's own space, uint8."""
        return registration.carry_label(self.reference.mask, np.linalg.inv(self.to_reference), grid)


def locate(heads: Sequence[Head], options: dict, log: SessionLog) -> list[Location]:
    """Locate the brains of all images of a session in the template.

    `align: joint` finds the brain on one image and aligns the others to it. If no brain is found on the first image, the next
    best is the reference; an image that cannot be aligned is processed alone, with a warning. `align: separate` processes every
    image alone.
    """
    order = sorted(heads, key=lambda head: _preference(head, options))
    reference = None
    if options.get("align", "joint") == "joint":
        reference = next(filter(None, (_attempted(head, options, log) for head in order)), None)
        if reference is None:
            return []
    locations = []
    for head in order:
        with log.working_on(head.row):
            locations.append(_locate(head, reference, options))
    return locations


def _preference(head: Head, options: dict) -> tuple:
    """Return a sort key, smallest for the best reference: an image with the mask it needs, then T1w, then fine voxels."""
    modality = head.row["modality"]
    return (options["skull_strip"] == "given" and head.given is None, modality != PREFERRED, head.image.voxel_ml, modality)


def _attempted(head: Head, options: dict, log: SessionLog) -> Reference | None:
    with log.working_on(head.row):
        return _reference(head, options)
    return None


def _locate(head: Head, reference: Reference | None, options: dict) -> Location:
    if reference is None:
        return Location(head, _reference(head, options), np.eye(4))
    if head is reference.head or own_space.is_kept(options):
        return Location(head, reference, np.eye(4))
    try:
        found = coregistration.align(reference.head.flat, reference.brain, head.flat)
    except Exception as error:  # whatever made the optimiser fail, the image may still be used alone
        warning = f"not aligned to {reference.head.row['modality']}, its brain was found on its own: {error}"
        return Location(head, _reference(head, options), np.eye(4), warning=warning)
    return Location(head, reference, found.matrix, found.nmi)


def _reference(head: Head, options: dict) -> Reference:
    """Find the brain of one image and register it to the template, unless the images keep their own space."""
    found = strippers.strip(head, options)
    brain = registration.carry_label(found.mask, np.eye(4), head.working)
    if own_space.is_kept(options):
        return Reference(head, found.mask, np.eye(4), brain > 0)
    corrected = bias_corrected(head.working, field_in(head.working, brain, options))
    return Reference(head, found.mask, _registered(corrected, brain, found.start, options), brain > 0)


def field_in(working: Volume, brain: np.ndarray, options: dict) -> Volume | None:
    """Return the bias field that N4 finds within the brain, or None when the pipeline does not correct it."""
    return bias_field.estimate(working, brain) if options["bias_field"] == "n4" else None


def bias_corrected(image: Volume, bias: Volume | None) -> Volume:
    """Return an image divided by a bias field on another grid."""
    return image if bias is None else image.with_array(image.array / bias_field.carry_field(bias, image))


def _registered(corrected: Volume, brain: np.ndarray, start: np.ndarray | None, options: dict) -> np.ndarray:
    stripped = corrected.with_array(np.where(brain > 0, corrected.array, 0))
    coarse = orientation.isotropic(stripped, max(registration.GRID_MM, *stripped.spacing_mm))
    target = template.target({**options, "spacing_mm": registration.GRID_MM, "shape": None})
    # The first guess is a map to ICBM152, and a rigid map cannot start from one that scales.
    guided = options["registration"] == "affine" and options.get("template", template.ICBM152) == template.ICBM152
    return registration.register(coarse, target, options["registration"], start if guided else None)
