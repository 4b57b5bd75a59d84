"""Conversion to and from ANTs images, with the settings that make ANTs reproducible bit for bit.

ITK reads its number of threads once, when its first filter runs: import this module before any other use of ANTs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

# Sums over threads depend on their order; shards use more cores instead.
os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"

import ants
import ants.config
import numpy as np

from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import orientation

ants.config.set_ants_deterministic(on=False, seed_value=1)

# NIfTI world coordinates are RAS+, ITK's are LPS+.
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def to_ants(volume: Volume) -> ants.ANTsImage:
    """Return a float32 ANTs image on the volume's grid, whose axes must be orthogonal up to the rounding of headers."""
    affine = FLIP @ volume.affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    return ants.from_numpy(
        np.ascontiguousarray(volume.array, dtype=np.float32),
        origin=tuple(affine[:3, 3]),
        spacing=tuple(spacing),
        direction=orientation.rotation(affine[:3, :3] / spacing),
    )


def affine_matrix(transform: str | Path) -> np.ndarray:
    """Read the (4, 4) matrix in RAS+ millimetres of an ITK affine transform file.

    It maps points of the fixed image to points of the moving one.
    """
    loaded = ants.read_transform(str(transform))
    parameters, centre = np.asarray(loaded.parameters, dtype=float), np.asarray(loaded.fixed_parameters, dtype=float)
    matrix = np.eye(4)
    matrix[:3, :3] = parameters[:9].reshape(3, 3)
    matrix[:3, 3] = parameters[9:] + centre - matrix[:3, :3] @ centre
    return FLIP @ matrix @ FLIP


@contextmanager
def scratch() -> Generator[str]:
    """Yield a prefix for ANTs' intermediate files, which are removed when the block ends."""
    with tempfile.TemporaryDirectory(prefix="madad-") as folder:
        yield f"{folder}/"
