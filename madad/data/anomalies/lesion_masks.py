"""Real lesion masks from any folder, checked, and resampled to a grid by an affine placement."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from madad.core.errors import SubjectError, UserError
from madad.core.io.volumes import Volume, read_volume
from madad.core.logs import say, warn
from madad.data.preprocessing.steps.orientation import to_ras

# Random placement: rotation in degrees, log of the scale, shift in mm (one standard deviation each).
ROTATION_DEG = 8.0
LOG_SCALE = 0.1
SHIFT_MM = 4.0


@dataclass(frozen=True)
class Lesion:
    """A real lesion, cropped to its box.

    Attributes:
        name: file name without its extension.
        mask: 1 inside, 0 outside; RAS+ order.
        centre_mm: centre of mass in world coordinates.
        digest: hash of the voxels of the mask as it was read, wherever they lie; that of the whole for a piece of it.
    """

    name: str
    mask: Volume
    centre_mm: np.ndarray
    digest: str = ""

    @property
    def volume_ml(self) -> float:
        """Volume of the mask."""
        return float(self.mask.array.sum()) * self.mask.voxel_ml


@dataclass(frozen=True)
class Pose:
    """Affine placement of a lesion, drawn once and recorded.

    Attributes:
        mirrored: reflected across the mid-sagittal plane x = 0.
        rotation: rotation matrix, (3, 3).
        scale: factor on every length.
        centre_mm: new position of the centre of mass, (3,); None keeps the (mirrored) position, moved by `shift_mm`.
        shift_mm: shift of the centre, (3,).
    """

    mirrored: bool = False
    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))
    scale: float = 1.0
    centre_mm: np.ndarray | None = None
    shift_mm: np.ndarray = field(default_factory=lambda: np.zeros(3))


def read_lesion(path: str | Path) -> Lesion:
    """Read a lesion mask of any grid and orientation.

    Raises:
        SubjectError: unreadable, not 3D, not finite, empty or not binary.
    """
    image = to_ras(read_volume(path))
    array = image.array
    if not np.isfinite(array).all():
        raise SubjectError(f"{path}: the lesion mask holds NaN or infinite values; a mask is 0 outside and 1 inside")
    values = np.unique(array)
    if len(values) == 1:
        raise SubjectError(f"{path}: the lesion mask has the value {values[0]:g} everywhere; it must be 0 outside and 1 inside")
    if len(values) > 2 or values[0] != 0 or values[1] < 0:
        raise SubjectError(f"{path}: the lesion mask is not binary (values {_some(values)}); make it 0 outside and 1 inside")
    return cropped(Path(path), array > 0, image.affine)


def read_folder(folder: str | Path, volume_ml: Sequence[float] = (0.0, np.inf)) -> list[Lesion]:
    """Read every lesion mask (`*.nii`, `*.nii.gz`) of a folder and its subfolders, in the order of their paths.

    A mask that cannot be used is left out with a warning; masks outside the range of volumes are left out and counted.

    Args:
        folder: folder of NIfTI files.
        volume_ml: smallest and largest volume to use.

    Raises:
        UserError: no such folder, or no mask in it can be used.
    """
    lesions: list[Lesion] = []
    refused: list[str] = []
    for path in mask_files(folder):
        try:
            lesions.append(read_lesion(path))
        except SubjectError as error:
            refused.append(str(error))
            warn(f"refused: {error}")
    if not lesions:
        reason = "\n".join(refused) or "there is none"
        raise UserError(f"{folder}: no lesion mask (*.nii, *.nii.gz) can be used: {reason}")
    return within(lesions, volume_ml, folder)


def within(lesions: Sequence[Lesion], volume_ml: Sequence[float], folder: str | Path) -> list[Lesion]:
    """Return the lesions of a folder that have a volume in a range.

    Raises:
        UserError: none has.
    """
    wanted = [lesion for lesion in lesions if volume_ml[0] <= lesion.volume_ml <= volume_ml[1]]
    if not wanted:
        reason = f"{len(lesions)} files, none between {volume_ml[0]:g} and {volume_ml[1]:g} ml"
        raise UserError(f"{folder}: no lesion mask (*.nii, *.nii.gz) can be used: {reason}")
    if len(wanted) < len(lesions):
        say(f"{folder}: {len(lesions) - len(wanted)} masks below {volume_ml[0]:g} or above {volume_ml[1]:g} ml are not drawn")
    return wanted


def mask_files(folder: str | Path) -> list[Path]:
    """Return the NIfTI files below a folder, sorted.

    Raises:
        UserError: no such folder.
    """
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: there is no such folder of lesion masks; correct anomalies.lesion_masks")
    return sorted(path for pattern in ("*.nii", "*.nii.gz") for path in Path(folder).rglob(pattern))


def main_piece(lesion: Lesion) -> Lesion:
    """Return the largest connected piece of a lesion."""
    labels, count = ndimage.label(lesion.mask.array, np.ones((3, 3, 3)))
    if count < 2:
        return lesion
    largest = np.bincount(labels.ravel())[1:].argmax() + 1
    return replace(cropped(Path(lesion.name), labels == largest, lesion.mask.affine), digest=lesion.digest)


def nearest(lesions: Sequence[Lesion], volume_ml: float, generator: np.random.Generator, among: int = 20) -> Lesion:
    """Draw one of the lesions whose volumes are nearest to the given one, by ratio."""
    ratios = [abs(np.log(lesion.volume_ml / volume_ml)) for lesion in lesions]
    close = np.argsort(ratios, kind="stable")[:among]
    return lesions[int(close[generator.integers(len(close))])]


def draw_pose(generator: np.random.Generator, centre_mm: np.ndarray | None = None) -> Pose:
    """Draw a small random rotation, scale and shift, mirrored in half of the cases."""
    axis = generator.standard_normal(3)
    axis /= np.linalg.norm(axis)
    angle = np.deg2rad(ROTATION_DEG) * generator.standard_normal()
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    rotation = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross  # Rodrigues
    scale = float(np.exp(LOG_SCALE * generator.standard_normal()))
    mirrored = bool(generator.random() < 0.5)
    return Pose(mirrored, rotation, scale, centre_mm, SHIFT_MM * generator.standard_normal(3))


def place(lesion: Lesion, pose: Pose, shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """Return a lesion's share of every voxel of a grid, float32 in [0, 1], by linear interpolation in world coordinates.

    Args:
        lesion: the mask to place.
        pose: its placement.
        shape: size of the grid, (I, J, K).
        affine: (4, 4), index of the grid to world mm.
    """
    reflection = np.diag([-1.0 if pose.mirrored else 1.0, 1.0, 1.0])
    target = reflection @ lesion.centre_mm + pose.shift_mm if pose.centre_mm is None else np.asarray(pose.centre_mm, dtype=float)
    to_source = np.eye(4)
    to_source[:3, :3] = reflection @ pose.rotation.T / pose.scale
    to_source[:3, 3] = lesion.centre_mm - to_source[:3, :3] @ target
    index = np.linalg.inv(lesion.mask.affine) @ to_source @ affine
    # smoothed against aliasing where the grid is coarser than the mask (Cardoso et al. 2015, doi:10.1007/978-3-319-24571-3_81)
    ratio = np.linalg.norm(affine[:3, :3], axis=0).mean() / (np.array(lesion.mask.spacing_mm) * pose.scale)
    sigma = np.sqrt(np.maximum(ratio**2 - 1, 0)) / 2.3548
    margin = int(np.ceil(4 * sigma.max())) + 1
    smooth = ndimage.gaussian_filter(np.pad(lesion.mask.array.astype(np.float32), margin), sigma)
    placed = ndimage.affine_transform(smooth, index[:3, :3], index[:3, 3] + margin, output_shape=shape, order=1)
    return np.clip(placed, 0, 1)


def cropped(path: Path, inside: np.ndarray, affine: np.ndarray) -> Lesion:
    """Return a mask (I, J, K) bool that is not empty, with its affine, as a lesion that has the name of a file."""
    corners = np.argwhere(inside)
    low, high = corners.min(axis=0), corners.max(axis=0) + 1
    moved = affine.copy()
    moved[:3, 3] = affine[:3, :3] @ low + affine[:3, 3]
    centre = affine[:3, :3] @ corners.mean(axis=0) + affine[:3, 3]
    box = inside[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    digest = hashlib.sha256(repr(box.shape).encode() + np.packbits(box).tobytes()).hexdigest()[:16]
    return Lesion(path.name.removesuffix(".gz").removesuffix(".nii"), Volume(box.astype(np.uint8), moved), centre, digest)


def _some(values: np.ndarray) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:5])
    return f"{shown} …" if len(values) > 5 else shown
