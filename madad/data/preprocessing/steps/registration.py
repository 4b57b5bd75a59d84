"""Linear registration to the template, and resampling of images and masks by its result.

A transform is stored as one (4, 4) matrix that maps template points to points of the image, both in RAS+ mm, so that
every output is interpolated once, from the voxels of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import ants
import numpy as np
from scipy import ndimage

from madad.core.errors import SubjectError
from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import ants_images
from madad.data.template import Template

# Plausible volume ratios of a linear map between heads; beyond them the optimiser has failed.
VOLUME_RATIO = (0.4, 2.5)

# Two grids have the same voxels if no corner of one lies this part of a voxel beside one of the other.
SAME_VOXEL = 0.01
# Measured: 2 mm and five times the steps take three times as long and change no overlap by more than 0.001.
GRID_MM = 3.0
SCHEDULE = {"aff_iterations": (100, 100, 50), "aff_shrink_factors": (4, 2, 1), "aff_smoothing_sigmas": (2, 1, 0)}
KINDS = {"affine": "Affine", "rigid": "Rigid"}


def register(brain: Volume, template: Template, kind: str = "affine", start: np.ndarray | None = None) -> np.ndarray:
    """Register a brain to the template; return the matrix (4, 4) from template to image points in RAS+ mm.

    Mattes mutual information (Mattes et al. 2003, doi:10.1109/TMI.2003.809072) by ANTs; the contrast need not be that
    of the template.

    Args:
        brain: intensities, 0 outside the brain.
        template: fixed image.
        kind: "affine" (12 parameters) or "rigid" (6).
        start: a first guess; if None, the centres of mass are aligned.

    Raises:
        SubjectError: the result scales the brain more than heads differ.
    """
    matrix = fit(ants_images.to_ants(template.t1w), ants_images.to_ants(brain), KINDS[kind], SCHEDULE, start=start)
    check(matrix)
    return matrix


def fit(
    fixed: ants.ANTsImage,
    moving: ants.ANTsImage,
    kind: str,
    schedule: Mapping[str, tuple[int, ...]],
    start: np.ndarray | None = None,
    mask: ants.ANTsImage | None = None,
) -> np.ndarray:
    """Run one linear stage of ANTs; return the matrix (4, 4) from fixed to moving points in RAS+ mm.

    Args:
        fixed: fixed image.
        moving: moving image.
        kind: ANTs' name of the transform.
        schedule: iterations, shrink factors and smoothing of each level.
        start: a first guess; if None, the centres of mass are aligned.
        mask: region of the fixed image that is compared; if None, all of it.
    """
    with ants_images.scratch() as prefix:
        initial = None if start is None else [str(write_transform(Path(f"{prefix}start.txt"), start))]
        done = ants.registration(
            fixed, moving, kind, initial_transform=initial, outprefix=prefix, mask=mask, mask_all_stages=True, **schedule
        )
        return ants_images.affine_matrix(done["fwdtransforms"][0])


def check(matrix: np.ndarray) -> None:
    """Refuse a matrix that is no plausible map between heads."""
    ratio = abs(float(np.linalg.det(matrix[:3, :3])))
    if not VOLUME_RATIO[0] < ratio < VOLUME_RATIO[1]:
        raise SubjectError(
            f"registration to the template failed: it scales the brain's volume by {1 / max(ratio, 1e-6):.2f}; "
            "check the image, and its brain mask in the quality picture"
        )


def carry_image(image: Volume, matrix: np.ndarray, grid: Volume) -> np.ndarray:
    """Resample the image to the grid of the template by cubic B-splines from its own voxels. Returns float32.

    Directions that become coarser are smoothed first (as in `madad.data.template.resample`). Values stay within the image's
    range, and are 0 outside its field of view. Where the voxels of the grid are those of the image they stay as they are.
    """
    if (start := same_voxels(image, matrix, grid)) is not None:
        return copied(image.array.astype(np.float32), start, grid.array.shape)
    ratio = np.array(grid.spacing_mm) / np.array(image.spacing_mm)
    sigma = np.sqrt(np.maximum(ratio**2 - 1, 0)) / 2.3548
    smooth = ndimage.gaussian_filter(image.array.astype(np.float32), sigma)
    # The outermost half voxel has data, although no centre lies beyond it.
    carried = ndimage.affine_transform(smooth, *index_map(image, matrix, grid), grid.array.shape, order=3, mode="nearest")
    carried = np.clip(carried, image.array.min(), image.array.max())
    return np.where(field_of_view(image, matrix, grid), carried, 0).astype(np.float32)


def same_voxels(image: Volume, matrix: np.ndarray, grid: Volume) -> np.ndarray | None:
    """Return the index (3,) in an image of the first voxel of a grid that has the same voxels; None if it has others."""
    steps, offset = index_map(image, matrix, grid)
    whole = np.rint(offset)
    corner = np.abs(steps - np.eye(3)) @ grid.array.shape + np.abs(offset - whole)
    return whole.astype(int) if corner.max() < SAME_VOXEL else None


def copied(array: np.ndarray, start: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a block of an array, 0 beyond its borders.

    Args:
        array: (I, J, K).
        start: index of the block's first voxel, which may be outside.
        shape: of the block.
    """
    result = np.zeros(shape, dtype=array.dtype)
    low = np.maximum(start, 0)
    high = np.maximum(np.minimum(start + shape, array.shape), low)
    taken = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    result[tuple(slice(a - s, a - s + n) for a, s, n in zip(low, start, taken.shape, strict=True))] = taken
    return result


def field_of_view(image: Volume, matrix: np.ndarray, grid: Volume) -> np.ndarray:
    """Return the voxels of the grid, bool (I, J, K), whose centres lie within the voxels of an image."""
    steps, offset = index_map(image, matrix, grid)
    inside = np.ones(grid.array.shape, dtype=bool)
    for axis, size in enumerate(image.array.shape):
        parts = [steps[axis, k] * np.arange(side) for k, side in enumerate(grid.array.shape)]
        index = offset[axis] + parts[0][:, None, None] + parts[1][:, None] + parts[2]
        inside &= (index >= -0.5) & (index <= size - 0.5)
    return inside


def carry_label(label: Volume, matrix: np.ndarray, grid: Volume) -> np.ndarray:
    """Resample a binary mask to the grid of the template, uint8: 1 where the linearly interpolated mask is above one half.

    For two labels this is ITK's generic label interpolation; the result has no values between 0 and 1, and is 0 outside the
    field of view. It is for large masks: small ones shrink on a coarser grid and need `lesion_resampling.carry`.

    Args:
        label: any values above 0 are inside.
        matrix: (4, 4), points of the grid to points of the mask in RAS+ mm.
        grid: target grid.
    """
    inside, steps = (label.array > 0).astype(np.float32), index_map(label, matrix, grid)
    carried = ndimage.affine_transform(inside, *steps, grid.array.shape, order=1, mode="nearest")
    return ((carried > 0.5) & field_of_view(label, matrix, grid)).astype(np.uint8)


def write_transform(path: Path, matrix: np.ndarray) -> Path:
    """Write a matrix as an ITK text transform that `antsApplyTransforms` reads (fixed image: the template)."""
    lps = ants_images.FLIP @ matrix @ ants_images.FLIP
    parameters = " ".join(repr(float(value)) for value in (*lps[:3, :3].ravel(), *lps[:3, 3]))
    text = f"#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\nParameters: {parameters}\n"
    path.write_text(text + "FixedParameters: 0 0 0\n")
    return path


def index_map(image: Volume, matrix: np.ndarray, grid: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Return matrix and offset from voxel indices of the grid to those of the image."""
    to_index = np.linalg.inv(image.affine) @ matrix @ grid.affine
    return to_index[:3, :3], to_index[:3, 3]
