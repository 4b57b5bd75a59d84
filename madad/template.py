"""The ICBM152 template on the grid of a pipeline.

Source: ICBM 152 nonlinear symmetric 2009a (Fonov et al. 2011, doi:10.1016/j.neuroimage.2010.07.033), as shipped at
1 mm inside nilearn, so that no download is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from madad.volumes import Volume

# In-plane sides are multiples of this, so that U-Nets and patch sets can halve them four times.
IN_PLANE_MULTIPLE = 16
SLICE_MULTIPLE = 8


@dataclass(frozen=True)
class Template:
    """The template's maps on one grid, RAS+, each of shape (I, J, K).

    Attributes:
        t1w: brain-only T1w intensities in [0, 1].
        brain: uint8 brain mask.
        grey, white: tissue probabilities in [0, 1].
    """

    t1w: Volume
    brain: Volume
    grey: Volume
    white: Volume


@lru_cache(maxsize=4)
def native_template() -> Template:
    """The template at 1 mm, as shipped: (197, 233, 189) voxels."""
    from nilearn import datasets  # slow to import

    def volume(load: object, dtype: type = np.float32) -> Volume:
        image = load(resolution=1)  # type: ignore[operator]
        return Volume(np.asarray(image.dataobj).astype(dtype), np.asarray(image.affine, dtype=float))

    return Template(
        t1w=volume(datasets.load_mni152_template),
        brain=volume(datasets.load_mni152_brain_mask, np.uint8),
        grey=volume(datasets.load_mni152_gm_template),
        white=volume(datasets.load_mni152_wm_template),
    )


@lru_cache(maxsize=4)
def template_on_grid(spacing_mm: float) -> Template:
    """The template resampled to an isotropic grid that holds the brain centred, square in the axial plane.

    At 1, 2, 3 and 4 mm the axial sides are 192, 96, 64 and 48 voxels.
    """
    native = native_template()
    shape, affine = brain_grid(native.brain, spacing_mm)

    def onto(volume: Volume) -> Volume:
        return Volume(resample(volume, shape, affine, spacing_mm), affine)

    brain = onto(native.brain.with_array(native.brain.array.astype(np.float32)))
    return Template(
        t1w=onto(native.t1w),
        brain=brain.with_array((brain.array > 0.5).astype(np.uint8)),
        grey=onto(native.grey),
        white=onto(native.white),
    )


def brain_grid(brain: Volume, spacing_mm: float) -> tuple[tuple[int, int, int], np.ndarray]:
    """Shape and affine of an isotropic RAS+ grid centred on the brain's bounding box, with a margin of 4 mm a side."""
    corners = np.argwhere(brain.array > 0)
    low, high = corners.min(axis=0), corners.max(axis=0)
    centre = (brain.affine @ np.append((low + high) / 2, 1.0))[:3]
    extent = (high - low + 1) * np.array(brain.spacing_mm) + 8.0
    side = _multiple(max(extent[0], extent[1]) / spacing_mm, IN_PLANE_MULTIPLE)
    shape = (side, side, _multiple(extent[2] / spacing_mm, SLICE_MULTIPLE))
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = centre - spacing_mm * (np.array(shape) - 1) / 2
    return shape, affine


def resample(volume: Volume, shape: tuple[int, int, int], affine: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Linear resampling onto a coarser or equal grid, smoothed first against aliasing. Returns float32 of `shape`."""
    ratio = spacing_mm / np.array(volume.spacing_mm)
    # A Gaussian whose full width at half maximum spans the lost resolution
    # (Cardoso et al. 2015, doi:10.1007/978-3-319-24571-3_81).
    sigma = np.sqrt(np.maximum(ratio**2 - 1, 0)) / 2.3548
    smooth = ndimage.gaussian_filter(volume.array.astype(np.float32), sigma)
    to_index = np.linalg.inv(volume.affine) @ affine
    return ndimage.affine_transform(smooth, to_index[:3, :3], to_index[:3, 3], output_shape=shape, order=1).astype(np.float32)


def _multiple(value: float, of: int) -> int:
    return int(np.ceil(value / of)) * of
