"""Corruptions of the resolution: blur and thick slices.

The intensities outside the brain were removed by the skull stripping and are unknown, not dark: averages are taken over the
brain only (normalised convolution, Knutsson and Westin 1993, doi:10.1109/CVPR.1993.341081).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from madad.core.shapes import Vector3

SLICE_AXIS = 0


def blur(
    image: np.ndarray, brain: np.ndarray, spacing_mm: Vector3, strength: float, generator: np.random.Generator
) -> np.ndarray:
    """Apply a Gaussian point spread, the same in all directions.

    Args:
        image: (S, H, W) in [0, 1].
        brain: (S, H, W) bool.
        spacing_mm: edge lengths of a voxel along (S, H, W).
        strength: standard deviation in mm.
        generator: not used.
    """
    sigma = [strength / spacing for spacing in spacing_mm]
    return _over_brain(lambda volume: ndimage.gaussian_filter(volume, sigma, mode="constant"), image, brain)


def thick_slices(
    image: np.ndarray, brain: np.ndarray, spacing_mm: Vector3, strength: float, generator: np.random.Generator
) -> np.ndarray:
    """Average over contiguous thick axial slices and interpolate back to the grid.

    The slice profile is a box, the interpolation is linear, and the position of the first slice is drawn. Slices no thicker than
    those of the grid change nothing.

    Args:
        image: (S, H, W) in [0, 1].
        brain: (S, H, W) bool.
        spacing_mm: edge lengths of a voxel along (S, H, W).
        strength: slice thickness in mm.
        generator: source of all random numbers.
    """
    thickness, start = strength / spacing_mm[SLICE_AXIS], generator.uniform()
    if thickness <= 1:
        return image.copy()
    through_plane = slice_operator(image.shape[SLICE_AXIS], thickness, start)
    return _over_brain(lambda volume: np.tensordot(through_plane, volume, axes=1), image, brain)


def slice_operator(slices: int, thickness: float, start: float) -> np.ndarray:
    """Return a matrix (slices, slices) that averages over thick slices and interpolates back.

    Args:
        slices: number of slices of the grid.
        thickness: thickness in slices of the grid, above 1.
        start: part of a thick slice by which the stack begins before the grid, in [0, 1).
    """
    lower = -start * thickness + thickness * np.arange(int(np.ceil(slices / thickness)) + 1)
    edges = np.arange(slices)
    covered = np.minimum(lower[:, None] + thickness, edges + 1) - np.maximum(lower[:, None], edges)
    average = np.clip(covered, 0, None)
    average /= np.maximum(average.sum(axis=1, keepdims=True), 1e-12)
    centres = lower + thickness / 2
    back = np.stack([np.interp(edges + 0.5, centres, unit) for unit in np.eye(len(centres))], axis=1)
    return back @ average


def _over_brain(average: Callable[[np.ndarray], np.ndarray], image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Average over the voxels of the brain only."""
    inside = brain.astype(np.float64)
    return average(image * inside) / np.maximum(average(inside), 1e-6)
