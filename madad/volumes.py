"""Reading, checking and writing of NIfTI volumes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np

from madad.errors import SubjectError
from madad.provenance import complete

# Two affines describe one grid when no element differs by more than this (mm).
AFFINE_TOLERANCE_MM = 1e-3


@dataclass(frozen=True)
class Volume:
    """A 3D image on a grid.

    Attributes:
        array: voxel values, shape (I, J, K).
        affine: voxel index to RAS+ world coordinates in mm, shape (4, 4).
    """

    array: np.ndarray
    affine: np.ndarray

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel in mm."""
        return tuple(float(s) for s in np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def with_array(self, array: np.ndarray) -> Volume:
        """The same grid with other values."""
        return replace(self, array=array)


def load_image(path: str | Path) -> Volume:
    """Read an intensity image as float32 and refuse what no later step could use.

    Raises:
        SubjectError: unreadable or truncated file, not 3D, not finite, constant, or a singular affine.
    """
    volume = _read(path)
    array = volume.array.astype(np.float32)
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        raise SubjectError(f"{path}: {bad} of {array.size} voxels are NaN or infinite; export the image again or repair it")
    if array.min() == array.max():
        raise SubjectError(f"{path}: every voxel has the value {array.flat[0]:g}; the image is empty")
    return volume.with_array(array)


def load_mask(path: str | Path, grid: Volume | None = None, name: str = "mask") -> Volume:
    """Read a binary mask (any value above 0 is inside) as uint8.

    Args:
        path: NIfTI file.
        grid: the image the mask belongs to; a mask on another grid is refused.
        name: what the mask is called in messages ("lesion mask", "brain mask").

    Raises:
        SubjectError: as `load_image`, or the mask is empty or on another grid.
    """
    volume = _read(path)
    if not np.isfinite(volume.array).all():
        raise SubjectError(f"{path}: the {name} holds NaN or infinite values; a mask is 0 outside and 1 inside")
    inside = (volume.array > 0).astype(np.uint8)
    if not inside.any():
        raise SubjectError(
            f"{path}: the {name} is empty; delete the file if the subject has none, or put the right mask in its place"
        )
    if grid is not None:
        problem = grid_difference(volume, grid)
        if problem:
            raise SubjectError(f"{path}: the {name} is not on the grid of its image ({problem}); resample it to that grid")
    return volume.with_array(inside)


def save_volume(path: str | Path, volume: Volume) -> None:
    """Write a NIfTI file; it appears under its name only when complete."""
    image = nib.Nifti1Image(volume.array, volume.affine)
    image.header.set_xyzt_units("mm")
    with complete(path) as partial:
        nib.save(image, partial)


def grid_difference(first: Volume, second: Volume) -> str | None:
    """Say in words how two grids differ, or None when they are one grid."""
    if first.array.shape != second.array.shape:
        return f"shape {first.array.shape} instead of {second.array.shape}"
    largest = float(np.abs(first.affine - second.affine).max())
    if largest > AFFINE_TOLERANCE_MM:
        return f"affines differ by up to {largest:.3g}"
    return None


def check_header(path: str | Path) -> nib.Nifti1Image:
    """Open a NIfTI file without reading its voxels and check dimensions and affine.

    Raises:
        SubjectError: missing or unreadable file, not 3D, or a singular affine.
    """
    try:
        image = nib.load(path)
    except FileNotFoundError:
        raise SubjectError(f"{path}: no such file") from None
    except Exception as error:  # nibabel, zlib and OSError have no common ancestor
        raise SubjectError(f"{path}: not a readable NIfTI file ({_first_line(error)})") from None
    shape = tuple(n for n in image.shape[3:] if n != 1)
    if len(image.shape) < 3 or shape:
        raise SubjectError(f"{path}: the image has shape {image.shape}; a single 3D volume is needed, extract one")
    affine = np.asarray(image.affine, dtype=float)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise SubjectError(f"{path}: the affine is singular or not finite, so no voxel has a place in space; repair the header")
    return image


def _read(path: str | Path) -> Volume:
    image = check_header(path)
    try:
        array = np.asarray(image.dataobj)
    except Exception as error:  # truncated gzip streams raise EOFError, zlib.error, OSError or ValueError
        raise SubjectError(f"{path}: the file is truncated or damaged ({_first_line(error)}); copy it again") from None
    array = array.reshape(array.shape[:3])
    return Volume(array, np.asarray(image.affine, dtype=float))


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
