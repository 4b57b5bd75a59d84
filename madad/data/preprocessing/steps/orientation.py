"""Axes and voxel sizes: RAS+ order and isotropic grids."""

from __future__ import annotations

import nibabel as nib
import numpy as np

from madad.core.errors import SubjectError
from madad.core.io.volumes import Volume
from madad.data import template

# An image smaller than this along any axis is a localiser or has a wrong header.
SMALLEST_EXTENT_MM = 60.0
# An image larger than this has a wrong unit in its header (micrometres, metres).
LARGEST_EXTENT_MM = 600.0


def to_ras(volume: Volume) -> Volume:
    """Return the same voxels with axes reordered and flipped to be closest to RAS+; nothing is interpolated."""
    axes = nib.io_orientation(volume.affine)
    array = nib.apply_orientation(volume.array, axes)
    return Volume(np.ascontiguousarray(array), volume.affine @ nib.orientations.inv_ornt_aff(axes, volume.array.shape))


def check_extent(volume: Volume, path: str, smallest_mm: float = SMALLEST_EXTENT_MM) -> None:
    """Refuse an image that cannot show a head.

    Args:
        volume: the image.
        path: its file, for the message.
        smallest_mm: smallest field of view along an axis.

    Raises:
        SubjectError: the field of view is too small or too large along an axis.
    """
    extent = np.array(volume.spacing_mm) * volume.array.shape
    if extent.min() < smallest_mm or extent.max() > LARGEST_EXTENT_MM:
        sides = " x ".join(f"{side:.0f}" for side in extent)
        raise SubjectError(
            f"{path}: the field of view is {sides} mm; a head needs {smallest_mm:.0f} to {LARGEST_EXTENT_MM:.0f} mm "
            "per side. Check the voxel size in the header, or leave the image out"
        )


def isotropic(volume: Volume, spacing_mm: float) -> Volume:
    """Resample a volume to an isotropic grid along its own axes, made orthogonal where the header shears them.

    Directions with smaller voxels are smoothed first, thick slices are interpolated linearly. A single slice stays one, of its
    own thickness.

    Args:
        volume: any grid.
        spacing_mm: edge length of the new voxels.
    """
    spacing = np.array(volume.spacing_mm)
    steps = np.where(np.array(volume.array.shape) == 1, spacing, spacing_mm)
    shape = np.maximum(np.round(np.array(volume.array.shape) * spacing / steps), 1).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = rotation(volume.affine[:3, :3] / spacing) * steps
    # Both grids share their centre.
    centre = volume.affine @ np.append((np.array(volume.array.shape) - 1) / 2, 1.0)
    affine[:3, 3] = centre[:3] - affine[:3, :3] @ ((shape - 1) / 2)
    size = (int(shape[0]), int(shape[1]), int(shape[2]))
    return Volume(template.resample(volume, size, affine, spacing_mm), affine)


def rotation(matrix: np.ndarray) -> np.ndarray:
    """Return the orthonormal (3, 3) matrix nearest to a matrix of unit columns (orthogonal Procrustes, Schönemann 1966)."""
    left, _, right = np.linalg.svd(matrix)
    return left @ right
