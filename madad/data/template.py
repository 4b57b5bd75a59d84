"""The template of a pipeline, and the grid that all of its images are resampled to.

ICBM152 needs no download: ICBM 152 nonlinear symmetric 2009a (Fonov et al. 2011, doi:10.1016/j.neuroimage.2010.07.033),
as shipped at 1 mm inside nilearn. Any other template is a file that the user names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from madad.configuration.pipelines import ICBM152, IN_PLANE_MULTIPLE
from madad.core.errors import SubjectError, UserError
from madad.core.io.volumes import Volume, load_image, load_mask
from madad.core.shapes import Shape3, shape3
from madad.data import background

SLICE_MULTIPLE = 8
# Margin around the brain on either side.
MARGIN_MM = 4.0
# Percentile of the brain that is scaled to 1, so that single bright vessels do not darken the rest.
BRIGHTEST = 99.9
# A stripped brain covers at most this part of any face of its image (a cut brainstem touches one), and at most this volume.
MOST_TOUCHING = 0.05
LARGEST_BRAIN_ML = 2500.0


@dataclass(frozen=True)
class Template:
    """The template's maps on one grid, RAS+, each of shape (I, J, K).

    Attributes:
        t1w: brain-only intensities in [0, 1]; T1w for ICBM152, the contrast of the file for any other.
        brain: uint8 brain mask.
        grey: probability of grey matter in [0, 1]; None for a template from a file.
        white: probability of white matter in [0, 1]; None for a template from a file.
    """

    t1w: Volume
    brain: Volume
    grey: Volume | None
    white: Volume | None


@dataclass(frozen=True)
class TissueTemplate(Template):
    """A template whose tissue probabilities are known."""

    grey: Volume
    white: Volume


def target(options: Mapping[str, Any]) -> Template:
    """Return the template on the grid of a pipeline.

    Args:
        options: spacing_mm; optionally template ("icbm152" or the path of a NIfTI file), template_brain (path of its mask or
            None) and shape ([I, J, K] voxels centred on the template's brain, or None for the whole brain).

    Raises:
        UserError: the template's files cannot be used.
    """
    shape = options.get("shape")
    return _target(*_files(options), float(options["spacing_mm"]), shape3(shape) if shape else None)


def native(options: Mapping[str, Any]) -> Template:
    """Return the template at its own resolution.

    Args:
        options: template and template_brain as for `target`.

    Raises:
        UserError: the template's files cannot be used.
    """
    return _native(*_files(options))


def space(options: Mapping[str, Any]) -> str:
    """Return the label of the template's space in file names, only letters and digits: "MNI152", or a file's name."""
    name, _ = _files(options)
    if name == ICBM152:
        return "MNI152"
    return re.sub("[^A-Za-z0-9]", "", Path(name).name.removesuffix(".gz").removesuffix(".nii")) or "template"


def to_mni(options: Mapping[str, Any]) -> np.ndarray:
    """Return an approximate matrix (4, 4) from the template's points to those of ICBM152, both in RAS+ mm.

    It is the identity for ICBM152. For a file it is the shift and the scale along each axis that map the centre and the spread
    (standard deviation) of its brain to those of ICBM152. Bounding boxes would depend on the cut through the brainstem: on the
    masks of six heads, with and without the lowest 30 mm, Dice is 0.90 by spread and 0.86 by boxes.

    Args:
        options: template and template_brain as for `target`.
    """
    name, brain_file = _files(options)
    if name == ICBM152:
        return np.eye(4)
    (centre, spread), (mni_centre, mni_spread) = (_moments(t.brain) for t in (_native(name, brain_file), native_template()))
    matrix = np.diag([*(mni_spread / spread), 1.0])
    matrix[:3, 3] = mni_centre - matrix[:3, :3] @ centre
    return matrix


def _moments(brain: Volume) -> tuple[np.ndarray, np.ndarray]:
    points = np.argwhere(brain.array > 0) @ brain.affine[:3, :3].T + brain.affine[:3, 3]
    return points.mean(axis=0), points.std(axis=0)


def _files(options: Mapping[str, Any]) -> tuple[str, str | None]:
    brain = options.get("template_brain")
    return str(options.get("template") or ICBM152), str(brain) if brain else None


@lru_cache(maxsize=4)
def native_template() -> TissueTemplate:
    """Return ICBM152 at 1 mm, as shipped: (197, 233, 189) voxels."""
    from nilearn import datasets  # slow to import

    def volume(load: Callable[..., Any], dtype: type = np.float32) -> Volume:
        image = load(resolution=1)
        return Volume(np.asarray(image.dataobj).astype(dtype), np.asarray(image.affine, dtype=float))

    return TissueTemplate(
        t1w=volume(datasets.load_mni152_template),
        brain=volume(datasets.load_mni152_brain_mask, np.uint8),
        grey=volume(datasets.load_mni152_gm_template),
        white=volume(datasets.load_mni152_wm_template),
    )


def template_on_grid(spacing_mm: float) -> Template:
    """Return ICBM152 on an isotropic grid centred on the brain and square in the axial plane.

    At 1, 2, 3 and 4 mm the axial sides are 192, 96, 64 and 48 voxels.
    """
    return target({"spacing_mm": spacing_mm})


def brain_grid(brain: Volume, spacing_mm: float, shape: Shape3 | None = None) -> tuple[Shape3, np.ndarray]:
    """Return shape and affine of an isotropic RAS+ grid centred on the brain's bounding box.

    Args:
        brain: brain mask.
        spacing_mm: edge length of a voxel.
        shape: voxels along x, y, z; by default enough for the brain with a margin of 4 mm on each side, square in the
            axial plane.
    """
    axes = brain.affine[:3, :3]
    points = np.argwhere(brain.array > 0) @ axes.T + brain.affine[:3, 3]
    low, high = points.min(axis=0), points.max(axis=0)
    if shape is None:
        extent = high - low + np.abs(axes).sum(axis=1) + 2 * MARGIN_MM
        side = _multiple(max(extent[0], extent[1]) / spacing_mm, IN_PLANE_MULTIPLE)
        shape = (side, side, _multiple(extent[2] / spacing_mm, SLICE_MULTIPLE))
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = (low + high) / 2 - spacing_mm * (np.array(shape) - 1) / 2
    return shape, affine


def resample(volume: Volume, shape: Shape3, affine: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Resample linearly to a coarser or equal grid, smoothing first against aliasing. Returns float32 of `shape`."""
    ratio = spacing_mm / np.array(volume.spacing_mm)
    # A Gaussian whose full width at half maximum spans the lost resolution
    # (Cardoso et al. 2015, doi:10.1007/978-3-319-24571-3_81).
    sigma = np.sqrt(np.maximum(ratio**2 - 1, 0)) / 2.3548
    smooth = ndimage.gaussian_filter(volume.array.astype(np.float32), sigma)
    to_index = np.linalg.inv(volume.affine) @ affine
    return ndimage.affine_transform(smooth, to_index[:3, :3], to_index[:3, 3], output_shape=shape, order=1).astype(np.float32)


@lru_cache(maxsize=8)
def _target(name: str, brain_file: str | None, spacing_mm: float, shape: Shape3 | None) -> Template:
    finest = _native(name, brain_file)
    shape, affine = brain_grid(finest.brain, spacing_mm, shape)

    def onto(volume: Volume) -> Volume:
        return Volume(resample(volume, shape, affine, spacing_mm), affine)

    brain = onto(finest.brain.with_array(finest.brain.array.astype(np.float32)))
    return Template(
        t1w=onto(finest.t1w),
        brain=brain.with_array((brain.array > 0.5).astype(np.uint8)),
        grey=None if finest.grey is None else onto(finest.grey),
        white=None if finest.white is None else onto(finest.white),
    )


@lru_cache(maxsize=4)
def _native(name: str, brain_file: str | None) -> Template:
    if name == ICBM152:
        return native_template()
    try:
        image = background.from_zero(load_image(name))
        brain = load_mask(brain_file, image, "template's brain mask") if brain_file else _stripped(image, name)
    except SubjectError as error:
        # No image can be registered to it: the whole run ends, not one subject.
        raise UserError(f"pipelines.template: {error}") from None
    image, brain = _to_ras(image), _to_ras(brain)
    values = np.clip(image.array, 0, None) / max(np.percentile(image.array[brain.array > 0], BRIGHTEST), 1e-6)
    inside = np.where(brain.array > 0, np.minimum(values, 1), 0).astype(np.float32)
    return Template(t1w=image.with_array(inside), brain=brain, grey=None, white=None)


def _stripped(image: Volume, name: str) -> Volume:
    """Return the brain of a template without a mask: the voxels that are not zero, if they can be a stripped brain."""
    inside = ndimage.binary_fill_holes(image.array > 0)
    touching = max(float((np.take(image.array, index, axis) != 0).mean()) for axis in range(3) for index in (0, -1))
    volume_ml = float(inside.sum()) * image.voxel_ml
    if touching > MOST_TOUCHING or volume_ml > LARGEST_BRAIN_ML:
        raise UserError(
            f"pipelines.template: {name} does not look like a stripped brain: {volume_ml:.0f} ml are not zero, and "
            f"{touching:.0%} of one face of the image; set template_brain to its brain mask"
        )
    return image.with_array(inside.astype(np.uint8))


def _to_ras(volume: Volume) -> Volume:
    canonical = nib.as_closest_canonical(nib.Nifti1Image(volume.array, volume.affine))
    return Volume(np.asarray(canonical.dataobj), np.asarray(canonical.affine, dtype=float))


def _multiple(value: float, of: int) -> int:
    return int(np.ceil(value / of)) * of
