"""The way of one image: from the file of a whole head to a brain in template space."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from madad.errors import SubjectError
from madad.manifest import Row
from madad.preprocessing import bias_field, morphology, orientation, picture, quality, registration, skull_strip
from madad.provenance import complete
from madad.template import Template, template_on_grid
from madad.volumes import Volume, load_image, load_mask, save_volume

# Bias field, brain mask and registration are found on a grid no finer than this; results are interpolated from the file.
WORKING_GRID_MM = 2.0


@dataclass(frozen=True)
class Head:
    """One image and the masks that came with it, on one grid, RAS+.

    Attributes:
        image: intensities of the file, (I, J, K) float32.
        lesion: uint8 mask or None.
        given: uint8 brain mask or None.
        notes: what was wrong but could be lived with.
    """

    image: Volume
    lesion: Volume | None
    given: Volume | None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Stripped:
    """A head whose brain is known.

    Attributes:
        working: isotropic, coarse and bias-corrected head.
        brain: bool mask on the grid of `working`.
        bias: multiplicative field on the grid of `working`, or None when it was not asked for.
        start: first guess of the matrix from template to image points, or None.
    """

    working: Volume
    brain: np.ndarray
    bias: Volume | None
    start: np.ndarray | None

    @property
    def mask(self) -> Volume:
        """The brain mask as uint8 volume."""
        return self.working.with_array(self.brain.astype(np.uint8))


def preprocess(row: Row, files: dict[str, Path], options: dict) -> Row:
    """Make every file of one image and return its row of measures.

    Args:
        row: of the manifest.
        files: where to write, from `naming.derivatives`.
        options: skull_strip, spacing_mm, bias_field, registration.

    Raises:
        SubjectError: the image cannot be used; the message says why.
    """
    begun = time.monotonic()
    head = load(row, options["skull_strip"])
    stripped = strip(head, options)
    template = template_on_grid(options["spacing_mm"])
    matrix = _register(stripped, options)
    native_brain = _native_brain(head, stripped, options["skull_strip"])
    # A mask found here is smooth on the working grid, but has steps on thick slices.
    found = stripped.mask if options["skull_strip"] in skull_strip.WAYS else native_brain
    brain = registration.carry_label(found, matrix, template.brain)
    corrected = _corrected(head.image, stripped.bias)
    carried = registration.carry_image(corrected, matrix, template.t1w)
    image = template.t1w.with_array(np.where(brain > 0, carried, 0).astype(np.float32))
    lesion = None if head.lesion is None else registration.carry_label(head.lesion, matrix, template.brain)
    measures = _measures(head, native_brain, image, brain, lesion, template, options["skull_strip"])
    picture.draw(files["picture"], stripped.working, stripped.brain, matrix, image, brain, template)
    _save(files, image, brain, lesion, matrix)
    measures["seconds"] = f"{time.monotonic() - begun:.1f}"
    return measures


def load(row: Row, skull_strip_by: str) -> Head:
    """Read and check the files of a row.

    Raises:
        SubjectError: an image or a mask that is needed cannot be used.
    """
    image = load_image(row["path"])
    orientation.check_extent(image, row["path"])
    lesion = load_mask(row["lesion_mask"], image, "lesion mask") if row["lesion_mask"] else None
    given, notes = None, []
    if skull_strip_by == "given" and not row["brain_mask"]:
        raise SubjectError(
            f"{row['path']}: skull_strip is given, but the image has no brain mask; add one or set skull_strip to template"
        )
    if row["brain_mask"]:
        try:
            given = load_mask(row["brain_mask"], image, "brain mask")
        except SubjectError as error:
            if skull_strip_by == "given":
                raise
            notes.append(f"not compared: {error}")
    masks = [None if mask is None else orientation.to_ras(mask) for mask in (lesion, given)]
    return Head(orientation.to_ras(image), masks[0], masks[1], notes)


def strip(head: Head, options: dict) -> Stripped:
    """Find bias field and brain mask on the working grid."""
    spacing_mm = max(WORKING_GRID_MM, min(head.image.spacing_mm))
    raw = orientation.isotropic(head.image, spacing_mm)
    raw = raw.with_array(np.maximum(raw.array, 0))
    start = None
    if options["skull_strip"] in skull_strip.WAYS:
        # The search for the brain profits from a flat image even where the result shall keep its bias field.
        flat = raw.with_array(raw.array / bias_field.estimate(raw, shrink=3).array)
        brain, start = skull_strip.strip(flat, options["skull_strip"])
    elif options["skull_strip"] == "given":
        brain = skull_strip.onto(head.given.with_array(head.given.array.astype(np.float32)), raw) > 0.5
    else:
        brain = morphology.clean(skull_strip.onto(_nonzero(head.image), raw) > 0.5)
    skull_strip.check_volume(brain, raw)
    bias = bias_field.estimate(raw, brain) if options["bias_field"] == "n4" else None
    return Stripped(_corrected(raw, bias), brain, bias, start)


def _nonzero(image: Volume) -> Volume:
    return image.with_array(skull_strip.nonzero(image).astype(np.float32))


def _register(stripped: Stripped, options: dict) -> np.ndarray:
    brain = stripped.working.with_array(np.where(stripped.brain, stripped.working.array, 0))
    coarse = orientation.isotropic(brain, max(registration.GRID_MM, *brain.spacing_mm))
    template = template_on_grid(registration.GRID_MM)
    # A rigid map cannot start from one that scales.
    start = stripped.start if options["registration"] == "affine" else None
    return registration.register(coarse, template, options["registration"], start)


def _native_brain(head: Head, stripped: Stripped, skull_strip_by: str) -> Volume:
    """The brain mask on the grid of the file, uint8."""
    if skull_strip_by == "given":
        return head.given
    if skull_strip_by == "none":
        return head.image.with_array(skull_strip.nonzero(head.image).astype(np.uint8))
    fractions = skull_strip.onto(stripped.working.with_array(stripped.brain.astype(np.float32)), head.image)
    return head.image.with_array((fractions > 0.5).astype(np.uint8))


def _corrected(image: Volume, bias: Volume | None) -> Volume:
    return image if bias is None else image.with_array(image.array / bias_field.carry_field(bias, image))


def _measures(
    head: Head,
    native_brain: Volume,
    image: Volume,
    brain: np.ndarray,
    lesion: np.ndarray | None,
    template: Template,
    skull_strip_by: str,
) -> Row:
    row = quality.measure(image, brain, template)
    row["brain_volume_ml"] = f"{float(native_brain.array.sum()) * native_brain.voxel_ml:.1f}"
    if head.given is not None and skull_strip_by != "given":
        row["reference_dice"] = f"{quality.dice(native_brain.array, head.given.array):.4f}"
    if lesion is not None:
        row["lesion_native_ml"] = f"{float(head.lesion.array.sum()) * head.lesion.voxel_ml:.4g}"
        row["lesion_ml"] = f"{float(lesion.sum()) * image.voxel_ml:.4g}"
        row["lesion_outside"] = f"{float(lesion[brain == 0].sum()) / max(float(lesion.sum()), 1.0):.3f}"
    row["warning"] = "; ".join([*head.notes, *quality.warnings(row)])
    return row


def _save(files: dict[str, Path], image: Volume, brain: np.ndarray, lesion: np.ndarray | None, matrix: np.ndarray) -> None:
    save_volume(files["image"], image)
    save_volume(files["brain"], replace(image, array=brain))
    if lesion is not None:
        save_volume(files["lesion"], replace(image, array=lesion))
    with complete(files["transform"]) as partial:
        registration.write_transform(partial, matrix)
