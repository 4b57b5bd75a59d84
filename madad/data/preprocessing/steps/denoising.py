"""Edge-preserving smoothing, on a finer grid where a published chain requires it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
from scipy import ndimage

from madad.core.io.volumes import Volume
from madad.core.shapes import Vector3

WAYS = ("none", "curvature_flow")
# As in the released code of Behrendt et al. 2023 (pDDPM), on which cDDPM, mDDPM and MHD build.
TIME_STEP = 0.125
ITERATIONS = 3
# The longest stable step of an explicit scheme of diffusion in three dimensions, as a part of the squared voxel size.
STABLE = 1 / 6
# Voxels with a squared slope below this are flat: no contour runs through them.
FLAT = 1e-9


def denoised(carry: Callable[[Volume], np.ndarray], grid: Volume, options: Mapping[str, Any]) -> np.ndarray:
    """Return an image on a pipeline's grid, denoised as the pipeline requires.

    Where the pipeline denoises on a finer grid than its own (`denoise_at_mm`), the image is resampled to the finer grid of the
    same field of view, smoothed there, and reduced by cubic B-splines, as in the published chains.

    Args:
        carry: returns the image on any grid, interpolated from the voxels of its file; 0 outside the brain, because the
            published chains strip before they smooth.
        grid: grid of the pipeline.
        options: denoise, denoise_at_mm.

    Returns:
        (I, J, K) float32 on `grid`; the cubic B-splines stay within the range of the smoothed image.
    """
    if options.get("denoise", "none") == "none":
        return carry(grid)
    times = times_finer(options)
    fine = refined(grid, times)
    smooth = curvature_flow(fine.with_array(carry(fine))).array
    return smooth if times == 1 else coarsened(smooth, times)


def times_finer(options: Mapping[str, Any]) -> int:
    """Return the number of voxels of the grid of `denoise_at_mm` along one of the pipeline's."""
    spacing_mm = options["spacing_mm"]
    return max(1, round(spacing_mm / (options.get("denoise_at_mm") or spacing_mm)))


def refined(grid: Volume, times: int) -> Volume:
    """Return a grid with voxels that are `times` smaller and the same field of view; its values are 0."""
    affine = grid.affine.copy()
    affine[:3, :3] /= times
    affine[:3, 3] -= grid.affine[:3, :3].sum(axis=1) * (1 - 1 / times) / 2
    return Volume(np.zeros([times * n for n in grid.array.shape], dtype=np.float32), affine)


def coarsened(array: np.ndarray, times: int) -> np.ndarray:
    """Return the values at the centres of blocks of times × times × times voxels, by cubic B-splines (as published)."""
    shape = tuple(n // times for n in array.shape)
    values = ndimage.affine_transform(array, times * np.eye(3), np.full(3, (times - 1) / 2), shape, order=3, mode="nearest")
    return np.clip(values, array.min(), array.max()).astype(np.float32)


def curvature_flow(volume: Volume, time_step: float = TIME_STEP, iterations: int = ITERATIONS) -> Volume:
    """Move every contour of equal intensity along its mean curvature: I_t = κ |∇I|.

    Noise has strongly bent contours and goes first; straight edges stay. Sethian 1999, Level Set Methods and Fast Marching
    Methods, chapter 16; central differences in mm and a border without flux, as ITK's CurvatureFlowImageFilter.

    Args:
        volume: intensities.
        time_step: in mm².
        iterations: number of steps; a step is divided if the voxels are too small for it to be stable.

    Returns:
        float32 on the same grid.
    """
    array = volume.array.astype(np.float32)
    parts = max(1, math.ceil(time_step / (STABLE * min(volume.spacing_mm) ** 2) - 1e-6))
    for _ in range(iterations * parts):
        array = array + np.float32(time_step / parts) * _curvature_speed(array, volume.spacing_mm)
    return volume.with_array(array)


def _curvature_speed(array: np.ndarray, spacing_mm: Vector3) -> np.ndarray:
    """Return κ |∇I| = (Σ_i I_i² Σ_{j≠i} I_jj − 2 Σ_{i<j} I_i I_j I_ij) / |∇I|², 0 where the image is flat."""
    first = [_slope(array, axis, spacing_mm[axis]) for axis in range(3)]
    second = [_bend(array, axis, spacing_mm[axis]) for axis in range(3)]
    squared = sum(slope**2 for slope in first)
    speed = sum(first[i] ** 2 * sum(second[j] for j in range(3) if j != i) for i in range(3))
    for i, j in combinations(range(3), 2):
        speed -= 2 * first[i] * first[j] * _slope(first[i], j, spacing_mm[j])
    return np.divide(speed, squared, out=np.zeros_like(array), where=squared >= FLAT)


def _slope(array: np.ndarray, axis: int, step: float) -> np.ndarray:
    before, after = _neighbours(array, axis)
    return (after - before) / np.float32(2 * step)


def _bend(array: np.ndarray, axis: int, step: float) -> np.ndarray:
    before, after = _neighbours(array, axis)
    return (after - 2 * array + before) / np.float32(step**2)


def _neighbours(array: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of the voxels before and after along an axis; the border repeats itself."""
    last = array.shape[axis] - 1
    index = np.arange(last + 1)
    return array.take(np.maximum(index - 1, 0), axis), array.take(np.minimum(index + 1, last), axis)
