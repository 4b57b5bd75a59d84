"""The bias field, the slowly varying gain of the receive coils, estimated on a coarse grid."""

from __future__ import annotations

import ants
import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import ants_images, orientation

# The field varies over centimetres: it is estimated from every `shrink`-th voxel of a 4 mm grid.
GRID_MM = 4.0
ITERATIONS = (50, 50, 50, 50)
TOLERANCE = 1e-5
# A single slice is repeated as often, since the splines of the field need some extent along every axis.
THICKNESS = 8


def estimate(volume: Volume, mask: np.ndarray | None = None, shrink: int = 2) -> Volume:
    """Estimate the multiplicative bias field on the volume's grid, with mean 1 inside the mask.

    N4: Tustison et al. 2010, doi:10.1109/TMI.2010.2046908.

    Args:
        volume: (I, J, K) intensities.
        mask: (I, J, K) region of the estimate; the head by Otsu's threshold if None.
        shrink: step between the voxels of the coarse grid that are used.
    """
    mask = foreground(volume.array) if mask is None else mask
    spacing_mm = max(GRID_MM, *volume.spacing_mm)
    coarse = orientation.isotropic(volume, spacing_mm)
    inside = orientation.isotropic(volume.with_array(mask.astype(np.float32)), spacing_mm).array > 0.5
    thick = THICKNESS if coarse.array.shape[2] == 1 else 1
    field = ants.n4_bias_field_correction(
        _for_ants(coarse.with_array(np.maximum(coarse.array, 0)), thick),
        mask=_for_ants(coarse.with_array(inside.astype(np.float32)), thick),
        shrink_factor=shrink,
        convergence={"iters": list(ITERATIONS), "tol": TOLERANCE},
        return_bias_field=True,
    ).numpy()[..., : coarse.array.shape[2]]
    field = field / field[inside].mean()
    return volume.with_array(carry_field(coarse.with_array(field), volume))


def _for_ants(volume: Volume, thick: int) -> ants.ANTsImage:
    """Return a volume for ANTs, every slice repeated."""
    return ants_images.to_ants(volume.with_array(np.repeat(volume.array, thick, axis=2)))


def carry_field(field: Volume, grid: Volume) -> np.ndarray:
    """Resample a smooth field linearly to another grid; outside its own grid the nearest value is used."""
    to_index = np.linalg.inv(field.affine) @ grid.affine
    shape = grid.array.shape
    return ndimage.affine_transform(field.array, to_index[:3, :3], to_index[:3, 3], shape, order=1, mode="nearest")


def foreground(array: np.ndarray) -> np.ndarray:
    """Return the mask of the head, bool (I, J, K), with holes filled.

    Otsu's threshold (Otsu 1979, doi:10.1109/TSMC.1979.4310076) separates dark from bright voxels; the head begins a quarter of
    the way from the mean of the dark to that of the bright ones, since muscle and cerebrospinal fluid are neither.
    """
    # A few extreme voxels must not be the only bright ones.
    limit = np.percentile(array, 99.5)
    array = np.minimum(array, limit) if limit > array.min() else array
    bright = array > threshold_otsu(array)
    dark_mean, bright_mean = float(array[~bright].mean()), float(array[bright].mean())
    inside = ndimage.binary_opening(array > dark_mean + 0.25 * (bright_mean - dark_mean))
    return ndimage.binary_fill_holes(inside)
