"""From one scan to what a model reads: the preprocessing of the pipeline, on files in a temporary folder."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from madad.core.errors import SubjectError, UserError
from madad.core.io.manifest import COLUMNS, Row
from madad.core.io.volumes import Volume, load_image, load_mask
from madad.core.provenance import file_hash
from madad.data import background, template
from madad.data.preprocessing import derivative_names, session
from madad.data.preprocessing.skull_stripping import brain_mask, strippers
from madad.data.preprocessing.steps import ants_images, intensity
from madad.data.template import LARGEST_BRAIN_ML, MOST_TOUCHING

Image = str | Path | nib.Nifti1Image
ENDING = re.compile(r"\.nii(\.gz)?$")
# How a head is stripped if the model's training images were stripped before.
OF_HEADS = "template"


@dataclass(frozen=True)
class Prepared:
    """A scan as a model reads it.

    Attributes:
        name: of the scan, from which its random numbers follow.
        image: on the template's grid, (I, J, K) float32 on the scale of a pack (`madad.core.intensity_scale`).
        brain: (I, J, K) bool on the same grid.
        scan: the image file, with its own grid and axes.
        to_scan: (4, 4), points of the template to points of the scan, RAS+ mm.
        measures: text by measure, from `madad.data.preprocessing.quality_measures`.
        skull_strip: how the brain was found.
        warning: what went wrong without making the scan unusable.
    """

    name: str
    image: Volume
    brain: np.ndarray
    scan: Volume
    to_scan: np.ndarray
    measures: Row
    skull_strip: str
    warning: str


def prepare(
    image: Image,
    modality: str,
    options: Mapping[str, Any],
    intensity_model: Mapping[str, Any],
    *,
    skull_strip: str = "auto",
    brain: Image | None = None,
) -> Prepared:
    """Preprocess one scan.

    Args:
        image: NIfTI file, or an image of nibabel.
        modality: its sequence.
        options: of the pipeline, as `madad.data.preprocessing.session.preprocess` takes them.
        intensity_model: from `madad.data.preprocessing.steps.intensity.fit`.
        skull_strip: one of `madad.data.preprocessing.skull_stripping.strippers.STRIPPERS`; "auto" takes the brain mask if there
            is one, leaves a stripped image as it is, and strips a head as the options say.
        brain: brain mask on the grid of the image.

    Raises:
        SubjectError: the scan cannot be used; the message says why.
        UserError: unknown way of skull stripping, or a program for it is missing.
    """
    with tempfile.TemporaryDirectory(prefix="madad-") as folder:
        path = _as_file(image, Path(folder) / "scan.nii.gz")
        mask = _as_file(brain, Path(folder) / "brain.nii.gz") if brain is not None else None
        scan = load_image(path)
        way = _way(skull_strip, scan, mask, str(options["skull_strip"]))
        strip = {"skull_strip": way, "skull_strip_command": options.get("skull_strip_command")}
        strippers.check_ready(strip)
        row = dict.fromkeys(COLUMNS, "") | {"subject": "sub-1", "modality": modality, "path": str(path)}
        row |= {"brain_mask": str(mask) if mask else ""}
        files = derivative_names.derivatives(Path(folder), row, template.space(options))
        files["record"].parent.mkdir(parents=True, exist_ok=True)
        done = session.preprocess([row], {modality: files}, {**options, **strip})[0]
        shown = str(image) if isinstance(image, str | Path) else "the image"
        if done["status"] != "ok":
            raise SubjectError(done["reason"].replace(str(path), shown))
        registered = load_image(files["image"])
        inside = load_mask(files["brain"], registered, "brain mask").array > 0
        return Prepared(
            name=ENDING.sub("", path.name) if isinstance(image, str | Path) else f"image-{file_hash(path)}",
            image=registered.with_array(intensity.apply(dict(intensity_model), registered.array, inside, whole=True)),
            brain=inside,
            scan=scan,
            to_scan=ants_images.affine_matrix(files["transform"]),
            measures=done,
            skull_strip=way,
            warning=done.get("warning", ""),
        )


def is_stripped(scan: Volume) -> bool:
    """Return whether an image shows a brain without its skull: what differs from the background fits and touches no border."""
    inside = background.differs(scan, background.level(scan))
    touching = max(float(np.take(inside, index, axis).mean()) for axis in range(3) for index in (0, -1))
    volume_ml = float(brain_mask.nonzero(scan).sum()) * scan.voxel_ml
    return touching <= MOST_TOUCHING and volume_ml <= LARGEST_BRAIN_ML


def _way(asked: str, scan: Volume, mask: Path | None, usual: str) -> str:
    if asked != "auto" and asked not in strippers.STRIPPERS:
        raise UserError(f"skull_strip: '{asked}' is unknown; choose auto or {', '.join(strippers.STRIPPERS)}")
    if asked != "auto":
        return asked
    if mask is not None:
        return "given"
    if is_stripped(scan):
        return "none"
    return OF_HEADS if usual in ("none", "given") else usual


def _as_file(image: Image, path: Path) -> Path:
    if isinstance(image, str | Path):
        return Path(image)
    # Written without compression of a gzip header's time: the name of an image in memory follows from its bytes.
    plain = path.with_suffix("")
    nib.save(image, plain)
    return plain
