"""The template of a pipeline, and the grid that all of its images are brought onto.

ICBM152 needs no download: ICBM 152 nonlinear symmetric 2009a (Fonov et al. 2011, doi:10.1016/j.neuroimage.2010.07.033),
as shipped at 1 mm inside nilearn. Any other template is a file of the user's.
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

SLICE_MULTIPLE = 8
# Room around the brain on either side.
MARGIN_MM = 4.0
# Percentile of the brain that becomes 1, so that single bright vessels do not make the rest dark.
BRIGHTEST = 99.9
# A brain alone covers no more of any face of its image (a cut brainstem touches one), and no more in all.
MOST_TOUCHING = 0.05
LARGEST_BRAIN_ML = 2500.0


@dataclass(frozen=True)
class Template:
    """The template's maps on one grid, RAS+, each of shape (I, J, K).

    Attributes:
        t1w: brain-only intensities in [0, 1]; T1w for ICBM152, the contrast of the file for any other.
        brain: uint8 brain mask.
        grey, white: tissue probabilities in [0, 1]; None where only a file is known.
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
    """The template on the grid of a pipeline.

    Args:
        options: spacing_mm; template ("icbm152" or the path of a NIfTI file), template_brain (path of its mask or None)
            and shape ([I, J, K] voxels centred on the template's brain, or None for all of the brain) may be left out.

    Raises:
        UserError: the template's files cannot be used.
    """
    shape = options.get("shape")
    return _target(*_files(options), float(options["spacing_mm"]), shape3(shape) if shape else None)


def native(options: Mapping[str, Any]) -> Template:
    """The template at its own resolution.

    Args:
        options: template and template_brain as for `target`.

    Raises:
        UserError: the template's files cannot be used.
    """
    return _native(*_files(options))


def space(options: Mapping[str, Any]) -> str:
    """Label of the template's space for file names, letters and digits alone: "MNI152", or a file's name."""
    name, _ = _files(options)
    if name == ICBM152:
        return "MNI152"
    return re.sub("[^A-Za-z0-9]", "", Path(name).name.removesuffix(".gz").removesuffix(".nii")) or "template"


def to_mni(options: Mapping[str, Any]) -> np.ndarray:
    """Matrix (4, 4) from the template's points to those of ICBM152, both in RAS+ mm: where its anatomy lies, about.

    The identity for ICBM152. For a file, the shift and the scale along each axis that bring centre and spread (standard
    deviation) of its brain to those of ICBM152's. Bounding boxes would move with the cut through the brainstem: measured on
    the masks of six heads, with and without 30 mm cut off below, Dice 0.90 by spread and 0.86 by boxes.

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
    """The template at 1 mm, as shipped: (197, 233, 189) voxels."""
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
    """ICBM152 resampled to an isotropic grid that holds the brain centred, square in the axial plane.

    At 1, 2, 3 and 4 mm the axial sides are 192, 96, 64 and 48 voxels.
    """
    return target({"spacing_mm": spacing_mm})


def brain_grid(brain: Volume, spacing_mm: float, shape: Shape3 | None = None) -> tuple[Shape3, np.ndarray]:
    """Shape and affine of an isotropic RAS+ grid centred on the brain's bounding box.

    Args:
        shape: voxels along x, y, z; by default as many as hold the brain with a margin of 4 mm a side, square in the
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
    """Linear resampling onto a coarser or equal grid, smoothed first against aliasing. Returns float32 of `shape`."""
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
        image = load_image(name)
        brain = load_mask(brain_file, image, "template's brain mask") if brain_file else _stripped(image, name)
    except SubjectError as error:
        # Nobody's image can be registered to it: the run ends, not one subject.
        raise UserError(f"pipelines.template: {error}") from None
    image, brain = _to_ras(image), _to_ras(brain)
    values = np.clip(image.array, 0, None) / max(np.percentile(image.array[brain.array > 0], BRIGHTEST), 1e-6)
    inside = np.where(brain.array > 0, np.minimum(values, 1), 0).astype(np.float32)
    return Template(t1w=image.with_array(inside), brain=brain, grey=None, white=None)


def _stripped(image: Volume, name: str) -> Volume:
    """The brain of a template without a mask: what is not zero, if that can be a brain alone."""
    inside = ndimage.binary_fill_holes(image.array > 0)
    touching = max(float((np.take(image.array, index, axis) != 0).mean()) for axis in range(3) for index in (0, -1))
    volume_ml = float(inside.sum()) * image.voxel_ml
    if touching > MOST_TOUCHING or volume_ml > LARGEST_BRAIN_ML:
        raise UserError(
            f"pipelines.template: {name} does not look like a brain alone: {volume_ml:.0f} ml are not zero, and {touching:.0%} "
            "of one face of the image; give its brain mask as template_brain"
        )
    return image.with_array(inside.astype(np.uint8))


def _to_ras(volume: Volume) -> Volume:
    canonical = nib.as_closest_canonical(nib.Nifti1Image(volume.array, volume.affine))
    return Volume(np.asarray(canonical.dataobj), np.asarray(canonical.affine, dtype=float))


def _multiple(value: float, of: int) -> int:
    return int(np.ceil(value / of)) * of
