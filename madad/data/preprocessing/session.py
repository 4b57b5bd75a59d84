"""Preprocessing of one session: from the files of whole heads to brains in template space.

The images of a subject and session are processed together: the brain is found on one of them, the others are aligned to it, and
every image is interpolated once, from the voxels of its own file, by the product of its two transforms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from madad.core.errors import SubjectError
from madad.core.io.manifest import Row
from madad.core.io.volumes import Volume, save_volume
from madad.core.provenance import complete
from madad.data import template
from madad.data.preprocessing import quality_measures, quality_picture
from madad.data.preprocessing.alignment_chain import Location, bias_corrected, field_in, locate
from madad.data.preprocessing.session_log import SessionLog
from madad.data.preprocessing.skull_stripping import brain_mask, leak
from madad.data.preprocessing.steps import denoising, lesion_resampling, own_space, registration, session_images
from madad.data.template import Template

# An image that shows less than this part of the template's brain shows none: it lies elsewhere.
LEAST_BRAIN = 0.05


def preprocess(rows: Sequence[Row], files: Mapping[str, Mapping[str, Path]], options: dict) -> list[Row]:
    """Write all files of the images of one subject and session.

    Args:
        rows: rows of the manifest, one per modality.
        files: paths to write by modality, from `derivative_names.derivatives`.
        options: skull_strip, skull_strip_command, align, bias_field, registration, denoise, and those of `template.target`.

    Returns:
        One row per image, in the order of `rows`: modality, status, reason, seconds and the measures.

    Raises:
        UserError: something that every image of the run needs is missing.
    """
    log = SessionLog()
    rows = session_images.with_own_masks(rows) if options.get("align", "joint") == "joint" else rows
    read = []
    for row in rows:
        with log.working_on(row):
            read.append(session_images.load(row, options))
    locations = locate(read, options, log)
    measured: dict[str, Row] = {}
    for one in locations:
        with log.working_on(one.head.row):
            source = _lesion_source(one, locations, rows, options)
            measured[one.head.row["modality"]] = _finish(one, source, files[one.head.row["modality"]], options)
    return [_outcome(row, measured, log) for row in rows]


def _outcome(row: Row, measured: Mapping[str, Row], log: SessionLog) -> Row:
    modality = row["modality"]
    known = {"modality": modality, "seconds": f"{log.seconds[modality]:.1f}"}
    if modality in log.reasons:
        return {**known, "status": "failed", "reason": " ".join(log.reasons[modality].split())}
    return {**known, "status": "ok", "reason": "", **measured[modality]}


@dataclass(frozen=True)
class _Drawn:
    """A lesion mask, uint8, and the image of the session that it was drawn on."""

    mask: Volume
    on: Location


def _finish(one: Location, lesions: _Drawn | None, files: Mapping[str, Path], options: dict) -> Row:
    """Transform one image and the lesions of its session into template space, write the files and measure the result."""
    target = None if own_space.is_kept(options) else template.target(options)
    grid = own_space.grid(one.head.image, options) if target is None else target.brain
    working_brain = one.brain_on(one.head.working)
    bias = field_in(one.head.working, working_brain, options)
    corrected = bias_corrected(one.head.image, bias)
    image, brain = _carried(one, corrected, grid, options)
    _check_content(brain, target, one.head.row["path"])
    lesion = None if lesions is None else lesion_resampling.carry(lesions.mask, lesions.on.to_template, grid)
    row = quality_measures.measure(image, brain, target)
    row |= {"grid": own_space.description(image)} if target is None else {}
    row |= _measures(one, lesions, lesion, image, brain, options)
    row["warning"] = "; ".join(filter(None, [one.warning, *one.head.notes, quality_measures.warnings(row)]))
    shown = bias_corrected(one.head.working, bias)
    native = None if lesions is None else _moved(lesions.mask, one.to_template @ np.linalg.inv(lesions.on.to_template))
    quality_picture.draw(files["picture"], shown, working_brain > 0, one.to_template, image, brain, target, native, lesion)
    _save(files, image, brain, lesion, one.to_template)
    return row


def _moved(volume: Volume, matrix: np.ndarray) -> Volume:
    """Return the same voxels at other points of space."""
    return Volume(volume.array, matrix @ volume.affine)


def _carried(one: Location, corrected: Volume, grid: Volume, options: dict) -> tuple[Volume, np.ndarray]:
    """Return the image on a grid, 0 outside the brain, and the brain mask, uint8."""

    brain = _brain(one, grid, options)

    def stripped(finer: Volume) -> np.ndarray:
        inside = brain if finer is grid else _brain(one, finer, options)
        return np.where(inside > 0, registration.carry_image(corrected, one.to_template, finer), 0)

    smooth = denoising.denoised(stripped, grid, options)
    return grid.with_array(np.where(brain > 0, smooth, 0).astype(np.float32)), brain


def _brain(one: Location, grid: Volume, options: dict) -> np.ndarray:
    """Return the session's brain mask on a grid of the template, uint8, where this image has data.

    Thick slices often end below the crown, and images that were stripped before may each end at another border.
    """
    brain = registration.carry_label(one.reference.mask, one.reference.to_template, grid)
    seen = registration.field_of_view(one.head.image, one.to_template, grid)
    if options["skull_strip"] == "none" and one.aligned_to:
        own = one.head.image.with_array(brain_mask.nonzero(one.head.image).astype(np.uint8))
        seen &= registration.carry_label(own, one.to_template, grid) > 0
    return brain * seen


def _lesion_source(one: Location, locations: Sequence[Location], rows: Sequence[Row], options: dict) -> _Drawn | None:
    """Return the lesion mask of an image: its own if it has one, else, in an aligned session, that of another sequence.

    Lesions are drawn on one sequence but are present in all: an image without them would be scored as if it showed none.

    Raises:
        SubjectError: the session has lesion masks, but their location in this image is not known.
    """
    if one.head.lesion is not None:
        return _Drawn(one.head.lesion, one)
    if options.get("align", "joint") == "separate":
        return None
    marked = [row for row in rows if row["lesion_mask"]]
    if not marked:
        return None
    names, path = " and ".join(sorted(row["modality"] for row in marked)), one.head.row["path"]
    if len({(row["lesion_mask"], row.get("lesion_labels", "")) for row in marked}) > 1:
        raise SubjectError(f"{path}: the lesion masks of {names} are not one file; give the image one of its own")
    for other in locations:
        if other.head.lesion is not None and other.reference is one.reference:
            return _Drawn(other.head.lesion, other)
    raise SubjectError(f"{path}: the lesion mask of {names} cannot be carried here, since the images were not aligned")


def _check_content(brain: np.ndarray, target: Template | None, path: str) -> None:
    """Refuse a result that no later step could use, where it would make the whole split fail.

    Raises:
        SubjectError: the image shows hardly any brain.
    """
    if target is None:
        if not brain.any():
            raise SubjectError(f"{path}: no voxel of a brain lies on its grid; look at the image, and at `shape` of the pipeline")
        return
    part = float(brain.sum()) / float(target.brain.array.sum())
    if part < LEAST_BRAIN:
        raise SubjectError(
            f"{path}: in the space of the template the image shows {part:.1%} of a brain; look at its field of view, and at "
            "its place in space by the header"
        )


def _measures(
    one: Location, lesions: _Drawn | None, lesion: np.ndarray | None, image: Volume, brain: np.ndarray, options: dict
) -> Row:
    head = one.head
    native = one.brain_on(head.image)
    # The volume of a single slice says nothing about the brain.
    volume = f"{float(native.sum()) * head.image.voxel_ml:.1f}" if native.shape[2] > 1 else ""
    row = {"brain_volume_ml": volume, "aligned_to": one.aligned_to}
    if one.nmi is not None:
        row["alignment_nmi"] = f"{one.nmi:.4f}"
    if head.given is not None and options["skull_strip"] != "given":
        row["reference_dice"] = f"{quality_measures.dice(native, head.given.array):.4f}"
    if (leaked := _scalp_share(one, options)) is not None:
        row["scalp_share"] = f"{leaked:.4f}"
    if lesions is not None and lesion is not None:
        drawn = lesions.mask
        row["lesion_from"] = lesions.on.head.row["modality"]
        row["lesion_native_ml"] = f"{float(drawn.array.sum()) * drawn.voxel_ml:.4g}"
        row["lesion_expected_ml"] = f"{lesion_resampling.volume_ml(drawn, lesions.on.to_template):.4g}"
        row["lesion_ml"] = f"{float(lesion.sum()) * image.voxel_ml:.4g}"
        row["lesion_outside"] = f"{float(lesion[brain == 0].sum()) / max(float(lesion.sum()), 1.0):.3f}"
    return row


def _scalp_share(one: Location, options: dict) -> float | None:
    """Return how much of the brain mask lies below air instead of scalp; None unless the mask was found on this whole head."""
    if one.aligned_to or options["skull_strip"] == "none":
        return None
    # The strategies of `brain_mask` have corrected the bias field of the whole head already.
    head = one.head.flat if options["skull_strip"] in brain_mask.WAYS else one.head.working
    brain = one.brain_on(head) > 0
    # A mask that was found here never fits an image without a head; one that was supplied may belong to a stripped image.
    if not brain.any() or (options["skull_strip"] == "given" and not leak.shows_head(head, brain)):
        return None
    return leak.scalp_share(head, brain)


def _save(files: Mapping[str, Path], image: Volume, brain: np.ndarray, lesion: np.ndarray | None, matrix: np.ndarray) -> None:
    save_volume(files["image"], image)
    save_volume(files["brain"], replace(image, array=brain))
    if lesion is not None:
        save_volume(files["lesion"], replace(image, array=lesion))
    with complete(files["transform"]) as partial_file:
        registration.write_transform(partial_file, matrix)
