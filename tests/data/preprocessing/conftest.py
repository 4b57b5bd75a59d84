"""A synthetic head at 4 mm, in a pose of its own, and tables around it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from madad.core.io.manifest import COLUMNS, Row
from madad.core.io.volumes import Volume, save_volume
from madad.data.template import native_template

SPACING_MM = 4.0
OPTIONS = {"skull_strip": "template", "spacing_mm": 4.0, "bias_field": "n4", "registration": "affine"}
QUICK = {**OPTIONS, "skull_strip": "none", "bias_field": "none", "registration": "rigid"}


@dataclass(frozen=True)
class SyntheticHead:
    """A head with skull, scalp and neck around the template's brain.

    Attributes:
        image: intensities, (I, J, K).
        brain: bool mask.
        pose: (4, 4), template to image points in mm.
    """

    image: Volume
    brain: np.ndarray
    pose: np.ndarray

    @property
    def stripped(self) -> Volume:
        return self.image.with_array(np.where(self.brain, self.image.array, 0).astype(np.float32))


def pose() -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", (9, -4, 6), degrees=True).as_matrix() @ np.diag([0.92, 0.95, 0.9])
    matrix[:3, 3] = (7, -12, 15)
    return matrix


def sampled(volume: Volume, matrix: np.ndarray, shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    to_index = np.linalg.inv(volume.affine) @ np.linalg.inv(matrix) @ affine
    return ndimage.affine_transform(volume.array.astype(np.float32), to_index[:3, :3], to_index[:3, 3], shape, order=1)


@pytest.fixture(scope="session")
def head() -> SyntheticHead:
    native, matrix, shape = native_template(), pose(), (52, 60, 66)
    affine = np.diag([SPACING_MM] * 3 + [1.0])
    affine[:3, 3] = (-100, -135, -145)
    brain = sampled(native.brain, matrix, shape, affine) > 0.5
    distance = ndimage.distance_transform_edt(~brain) * SPACING_MM
    image = 100 * sampled(native.t1w, matrix, shape, affine)
    image[~brain] = np.select([distance < 5, distance < 11, distance < 18], [25, 6, 80], 0)[~brain]
    x, y, z = (
        np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 3).T.reshape(3, *shape) * SPACING_MM + affine[:3, 3, None, None, None]
    )
    image[((x - 7) ** 2 + (y + 40) ** 2 < 55**2) & (z < -50) & (distance >= 18)] = 60
    image *= np.exp(0.15 * (z / 100))
    noise = np.random.default_rng(1).normal(0, 1.5, shape)
    return SyntheticHead(Volume(np.abs(image + noise).astype(np.float32), affine), brain, matrix)


@pytest.fixture(scope="session")
def lesion(head: SyntheticHead) -> np.ndarray:
    """Return a ball of 14 mm radius in white matter."""
    centre = np.linalg.inv(head.image.affine) @ head.pose @ np.array([-26.0, -20.0, 25.0, 1.0])
    index = np.indices(head.image.array.shape)
    return sum((index[a] - centre[a]) ** 2 for a in range(3)) * SPACING_MM**2 < 14**2


def row(subject: str, path: Path, **other: str) -> Row:
    known = {"subject": subject, "split": "train", "group": "healthy", "modality": "T1w", "path": str(path)}
    return {**dict.fromkeys(COLUMNS, ""), **known, **other}


def written(path: Path, volume: Volume) -> Path:
    save_volume(path, volume)
    return path
