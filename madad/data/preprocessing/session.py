"""The way of one session: from the files of whole heads to brains in template space.

The images of a subject and session go together: the brain is found on one of them, the others are laid on it, and every image
is interpolated once, from the voxels of its own file, through the product of its two maps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from madad.core.errors import SubjectError
from madad.core.io.manifest import Row
from madad.core.io.volumes import Volume, save_volume
from madad.core.provenance import complete
from madad.data import template
from madad.data.preprocessing import quality_measures, quality_picture
from madad.data.preprocessing.alignment_chain import Place, bias_corrected, field_in, place
from madad.data.preprocessing.session_log import Ledger
from madad.data.preprocessing.skull_stripping import brain_mask
from madad.data.preprocessing.steps import denoising, lesion_resampling, registration, session_images
from madad.data.template import Template

# Part of the template's brain below which an image shows none, as one that lies elsewhere.
LEAST_BRAIN = 0.05


def preprocess(rows: Sequence[Row], files: Mapping[str, Mapping[str, Path]], options: dict) -> list[Row]:
    """Make every file of the images of one subject and session.

    Args:
        rows: of the manifest, one a modality.
        files: by modality, where to write, from `naming.derivatives`.
        options: skull_strip, skull_strip_command, align, bias_field, registration, denoise, and those of `template.target`.

    Returns:
        One row an image, in the order of `rows`: modality, status, reason, seconds and what was measured.

    Raises:
        UserError: something that no image of the run can do without is missing.
    """
    ledger = Ledger()
    rows = session_images.with_own_masks(rows) if options.get("align", "joint") == "joint" else rows
    read = []
    for row in rows:
        with ledger.working_on(row):
            read.append(session_images.load(row, options))
    places = place(read, options, ledger)
    measured: dict[str, Row] = {}
    for one in places:
        with ledger.working_on(one.head.row):
            source = _lesion_source(one, places, rows, options)
            measured[one.head.row["modality"]] = _finish(one, source, files[one.head.row["modality"]], options)
    return [_outcome(row, measured, ledger) for row in rows]


def _outcome(row: Row, measured: Mapping[str, Row], ledger: Ledger) -> Row:
    modality = row["modality"]
    known = {"modality": modality, "seconds": f"{ledger.seconds[modality]:.1f}"}
    if modality in ledger.reasons:
        return {**known, "status": "failed", "reason": " ".join(ledger.reasons[modality].split())}
    return {**known, "status": "ok", "reason": "", **measured[modality]}


def _finish(one: Place, source: Place | None, files: Mapping[str, Path], options: dict) -> Row:
    """Carry one image, and the lesions drawn on `source`, into the space of the template, write its files and measure it."""
    target = template.target(options)
    working_brain = one.brain_on(one.head.working)
    bias = field_in(one.head.working, working_brain, options)
    corrected = bias_corrected(one.head.image, bias)
    image, brain = _carried(one, corrected, target, options)
    _check_content(brain, target, one.head.row["path"])
    lesion = None if source is None else lesion_resampling.carry(source.head.lesion, source.to_template, target.brain)
    row = quality_measures.measure(image, brain, target)
    row |= _measures(one, source, lesion, image, brain, options)
    row["warning"] = "; ".join(filter(None, [one.warning, *one.head.notes, quality_measures.warnings(row)]))
    shown = bias_corrected(one.head.working, bias)
    drawn = None if source is None else _moved(source.head.lesion, one.to_template @ np.linalg.inv(source.to_template))
    quality_picture.draw(files["picture"], shown, working_brain > 0, one.to_template, image, brain, target, drawn, lesion)
    _save(files, image, brain, lesion, one.to_template)
    return row


def _moved(volume: Volume, matrix: np.ndarray) -> Volume:
    """The same voxels at other points."""
    return Volume(volume.array, matrix @ volume.affine)


def _carried(one: Place, corrected: Volume, target: Template, options: dict) -> tuple[Volume, np.ndarray]:
    """The image on the template's grid, 0 outside the brain, and the brain mask, uint8."""

    def stripped(grid: Volume) -> np.ndarray:
        return np.where(_brain(one, grid, options) > 0, registration.carry_image(corrected, one.to_template, grid), 0)

    brain = _brain(one, target.brain, options)
    smooth = denoising.denoised(stripped, target.brain, options)
    return target.t1w.with_array(np.where(brain > 0, smooth, 0).astype(np.float32)), brain


def _brain(one: Place, grid: Volume, options: dict) -> np.ndarray:
    """The session's brain mask on a grid of the template, uint8, where this image has data.

    Thick slices often end below the crown; images that were stripped before may each be 0 at another border.
    """
    brain = registration.carry_label(one.reference.mask, one.reference.to_template, grid)
    seen = registration.field_of_view(one.head.image, one.to_template, grid)
    if options["skull_strip"] == "none" and one.aligned_to:
        own = one.head.image.with_array(brain_mask.nonzero(one.head.image).astype(np.uint8))
        seen &= registration.carry_label(own, one.to_template, grid) > 0
    return brain * seen


def _lesion_source(one: Place, places: Sequence[Place], rows: Sequence[Row], options: dict) -> Place | None:
    """The image whose lesion mask an image takes: its own where it has one, else, in a session that is aligned, that of another.

    Lesions are drawn on one sequence, but are there in all: an image without them would be scored as if it showed none.

    Raises:
        SubjectError: lesions are drawn on the session, but where they lie in this image is not known.
    """
    if one.head.lesion is not None or options.get("align", "joint") == "separate":
        return one if one.head.lesion is not None else None
    marked = [row for row in rows if row["lesion_mask"]]
    if not marked:
        return None
    names, path = " and ".join(sorted(row["modality"] for row in marked)), one.head.row["path"]
    if len({(row["lesion_mask"], row.get("lesion_labels", "")) for row in marked}) > 1:
        raise SubjectError(f"{path}: the lesion masks of {names} are not one file; give the image one of its own")
    found = [other for other in places if other.head.lesion is not None and other.reference is one.reference]
    if not found:
        raise SubjectError(f"{path}: the lesion mask of {names} cannot be carried here, since the images were not aligned")
    return found[0]


def _check_content(brain: np.ndarray, target: Template, path: str) -> None:
    """Refuse a result that no later step could use: there it would cost the whole split.

    Raises:
        SubjectError: hardly any brain in it.
    """
    part = float(brain.sum()) / float(target.brain.array.sum())
    if part < LEAST_BRAIN:
        raise SubjectError(
            f"{path}: in the space of the template the image shows {part:.1%} of a brain; look at its field of view, and at "
            "its place in space by the header"
        )


def _measures(
    one: Place, source: Place | None, lesion: np.ndarray | None, image: Volume, brain: np.ndarray, options: dict
) -> Row:
    head = one.head
    native = one.brain_on(head.image)
    row = {"brain_volume_ml": f"{float(native.sum()) * head.image.voxel_ml:.1f}", "aligned_to": one.aligned_to}
    if one.nmi is not None:
        row["alignment_nmi"] = f"{one.nmi:.4f}"
    if head.given is not None and options["skull_strip"] != "given":
        row["reference_dice"] = f"{quality_measures.dice(native, head.given.array):.4f}"
    if source is not None and lesion is not None:
        drawn = source.head.lesion
        row["lesion_from"] = source.head.row["modality"]
        row["lesion_native_ml"] = f"{float(drawn.array.sum()) * drawn.voxel_ml:.4g}"
        row["lesion_expected_ml"] = f"{lesion_resampling.volume_ml(drawn, source.to_template):.4g}"
        row["lesion_ml"] = f"{float(lesion.sum()) * image.voxel_ml:.4g}"
        row["lesion_outside"] = f"{float(lesion[brain == 0].sum()) / max(float(lesion.sum()), 1.0):.3f}"
    return row


def _save(files: Mapping[str, Path], image: Volume, brain: np.ndarray, lesion: np.ndarray | None, matrix: np.ndarray) -> None:
    save_volume(files["image"], image)
    save_volume(files["brain"], replace(image, array=brain))
    if lesion is not None:
        save_volume(files["lesion"], replace(image, array=lesion))
    with complete(files["transform"]) as partial_file:
        registration.write_transform(partial_file, matrix)
