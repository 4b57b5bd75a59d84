"""Reading and checking volumes (NIfTI, FreeSurfer), and writing NIfTI files."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np

from madad.core.errors import SubjectError
from madad.core.io.freesurfer import read_any_header
from madad.core.io.headers import Header, check_rest
from madad.core.provenance import complete
from madad.core.shapes import AFFINE_TOLERANCE_MM, Vector3, vector3

# Two affines also describe the same grid when no corner is displaced by more than this share of a voxel, as after a tool has
# rounded a quaternion.
CORNER_TOLERANCE = 0.02
# An image in which a smaller share of the voxels differs from the background shows no head.
SMALLEST_FOREGROUND = 1e-3
# Labels are whole numbers, up to rounding by a scaling slope.
LABEL_TOLERANCE = 1e-3
READ_BYTES = 1 << 20


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
    def spacing_mm(self) -> Vector3:
        """Edge lengths of a voxel in mm."""
        return vector3(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def with_array(self, array: np.ndarray) -> Volume:
        """Return the same grid with other values."""
        return replace(self, array=array)


def load_image(path: str | Path, frame: int | None = None) -> Volume:
    """Read an intensity image as float32 and refuse an image that no later step could use.

    Args:
        path: NIfTI file.
        frame: number of the volume in a 4D file, counted from 0; None for a file that holds one volume.

    Raises:
        SubjectError: unreadable or truncated file, not 3D, not finite, constant, or a singular affine.
    """
    volume = read_volume(path, frame)
    with np.errstate(over="ignore"):
        array = volume.array.astype(np.float32, copy=False)
    finite = np.isfinite(array)
    bad = int(array.size - finite.sum())
    if bad:
        what = "NaN or infinite" if not np.isfinite(volume.array[~finite]).all() else "too large for float32"
        raise SubjectError(f"{path}: {bad} of {array.size} voxels are {what}; export the image again or repair it")
    if array.min() == array.max():
        raise SubjectError(f"{path}: every voxel has the value {array.flat[0]:g}; the image is empty, export it again")
    # A constant background fills more than half of the voxels: it is the median, also of every 16th voxel.
    background = np.median(array.ravel(order="K")[:: 16 if array.size > 1e6 else 1])
    foreground = np.count_nonzero(array != background)
    if foreground < SMALLEST_FOREGROUND * array.size:
        raise SubjectError(
            f"{path}: all but {foreground} of {array.size} voxels have the value {background:g}; "
            "the image is almost empty, export it again"
        )
    return volume.with_array(array)


def load_mask(path: str | Path, grid: Volume | None = None, name: str = "mask", labels: Sequence[int] = ()) -> Volume:
    """Read a mask as uint8, 1 inside.

    Args:
        path: NIfTI file.
        grid: the image the mask belongs to; a mask on another grid is refused.
        name: name of the mask in messages ("lesion mask", "brain mask").
        labels: values that are inside; if empty, every value above 0 is.

    Raises:
        SubjectError: as `load_image`, or the mask is empty or on another grid.
    """
    volume = read_volume(path)
    _check_mask_values(path, volume.array, name)
    inside = (np.isin(np.round(volume.array), list(labels)) if labels else volume.array > 0).astype(np.uint8)
    if not inside.any():
        wanted = f" (none of the labels {', '.join(str(label) for label in labels)} is in it)" if labels else ""
        raise SubjectError(
            f"{path}: the {name} is empty{wanted}; delete the file if the subject has none, or replace it by the right mask"
        )
    if inside.all():
        raise SubjectError(f"{path}: the {name} marks every voxel; a mask is 0 outside and 1 inside")
    if grid is not None:
        problem = grid_difference(volume, grid)
        if problem:
            raise SubjectError(f"{path}: the {name} is not on the grid of its image ({problem}); resample it to that grid")
    return volume.with_array(inside)


def _check_mask_values(path: str | Path, array: np.ndarray, name: str) -> None:
    """Refuse values that do not separate inside from outside: values between 0 and 1 have no edge."""
    if not np.isfinite(array).all():
        raise SubjectError(f"{path}: the {name} holds NaN or infinite values; a mask is 0 outside and 1 inside")
    if array.min() < 0:
        raise SubjectError(f"{path}: the {name} holds values below 0, down to {array.min():g}; a mask is 0 outside and 1 inside")
    if array.dtype.kind == "f" and (np.abs(array - np.round(array)) > LABEL_TOLERANCE).any() and len(np.unique(array)) > 2:
        raise SubjectError(
            f"{path}: the {name} holds values between whole numbers, such as a probability map or an interpolated mask; "
            "threshold it (usually at 0.5)"
        )


def save_volume(path: str | Path, volume: Volume) -> None:
    """Write a NIfTI file, which appears under its name only when complete."""
    image = nib.Nifti1Image(volume.array, volume.affine)
    image.header.set_xyzt_units("mm")
    with complete(path) as partial:
        nib.save(image, partial)


def grid_difference(first: Volume, second: Volume) -> str | None:
    """Return a description of how two grids differ, or None when they are the same."""
    if first.array.shape != second.array.shape:
        return f"shape {first.array.shape} instead of {second.array.shape}"
    difference = first.affine - second.affine
    if np.abs(difference).max() <= AFFINE_TOLERANCE_MM:
        return None
    corners = np.array([[*corner, 1.0] for corner in np.ndindex(2, 2, 2)]) * [*first.array.shape, 1.0]
    largest = float(np.linalg.norm(corners @ difference[:3].T, axis=1).max())
    if largest > CORNER_TOLERANCE * min(first.spacing_mm):
        return f"affines differ, a corner lies {largest:.3g} mm away"
    return None


def check_header(path: str | Path, frame: int | None = None) -> Header:
    """Read the header of a NIfTI file without its voxels, and check that it holds one 3D image.

    Args:
        path: NIfTI file.
        frame: number of the volume in a 4D file, counted from 0; required if it holds several.

    Raises:
        SubjectError: missing or unreadable file, not 3D, or an invalid header; see `headers.read_header`.
    """
    header = read_any_header(path)
    frames = header.shape[3] if len(header.shape) > 3 else 1
    if any(n != 1 for n in header.shape[4:]):
        raise SubjectError(f"{path}: the image has shape {header.shape}; a single 3D volume is needed, extract one")
    if frames != 1 and frame is None:
        raise SubjectError(
            f"{path}: the image has shape {header.shape}; a single 3D volume is needed, extract one or name its frame"
        )
    if frame is not None and not 0 <= frame < frames:
        raise SubjectError(f"{path}: frame {frame} is asked for, but the file holds {frames}, counted from 0")
    return header


def read_volume(path: str | Path, frame: int | None = None) -> Volume:
    """Read the values of a NIfTI file as they are stored, scaled where the header says so, without checking them.

    Raises:
        SubjectError: as `check_header`, or the file is cut short or damaged.
    """
    header = check_header(path, frame)
    stored = np.empty(header.frame_bytes, dtype=np.uint8)
    try:
        with (gzip.open if header.compressed else open)(header.voxels or path, "rb") as stream:
            stream.seek(header.offset + (frame or 0) * header.frame_bytes)
            got = stream.readinto(stored.data)
            # The checksum of a gzip stream is compared only at its end.
            rest = 0 if not header.compressed else _bytes_after(stream, header)
    except (OSError, EOFError, zlib.error) as error:
        raise SubjectError(f"{path}: the file is truncated or damaged ({_first_line(error)}); copy it again") from None
    if got < header.frame_bytes or rest < 0:
        raise SubjectError(f"{path}: the file is truncated or damaged (it ends before its last voxel); copy it again")
    check_rest(path, header, rest)
    array = stored.view(header.dtype).reshape(header.shape[:3], order="F")
    if (header.slope, header.inter) != (1.0, 0.0):
        array = array.astype(np.float64) * header.slope + header.inter
    return Volume(array, header.affine)


def _bytes_after(stream: gzip.GzipFile | io.BufferedReader, header: Header) -> int:
    """Return the number of bytes between the last voxel and the end of a stream, or the first that is too large."""
    while stream.read(READ_BYTES) and stream.tell() - header.total_bytes < header.slack_bytes:
        pass
    return stream.tell() - header.total_bytes


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
