"""The complete lesion generator: a random starting shape, a random flow and a random time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from madad.data.anomalies import lesion_masks
from madad.data.anomalies.fluid import evolve
from madad.data.anomalies.lesion_masks import Lesion
from madad.data.anomalies.shapes import blob, radius
from madad.data.anomalies.velocity import draw_flow

# Width of a starting shape's rim in voxels: that of a binary mask's partial volume.
RIM = 1.5
# Number of times that a map is drawn if it is empty (a mask outside the brain).
ATTEMPTS = 10
# Source of a lesion without a real mask.
RANDOM = "perlin"


@dataclass(frozen=True)
class Region:
    """Where lesions may lie.

    Attributes:
        inside: bool, (*grid), 2D or 3D.
        depth: distance to the nearest voxel outside, in voxels, (1, *grid); None for the box model.
        spacing_mm: edge length of the voxels, isotropic.
        affine: (I, J, K) index to world mm of a 3D grid (K, J, I); None where real masks cannot be placed.
    """

    inside: np.ndarray
    depth: torch.Tensor | None
    spacing_mm: float
    affine: np.ndarray | None = None

    @property
    def to_world(self) -> np.ndarray:
        """`affine` of a 3D grid on which real masks and sites have a position.

        Raises:
            ValueError: the grid has none.
        """
        if self.affine is None:
            raise ValueError("lesions can be placed by world coordinates only where the affine of the grid is known")
        return self.affine

    def voxels(self, volume_ml: float) -> int:
        """Return the number of voxels of a lesion of that volume in 3D, of a disc of the same radius in 2D; at least 1."""
        size = 1000 * volume_ml / self.spacing_mm**3
        return max(1, round(size if self.inside.ndim == 3 else np.pi * radius(size, 3) ** 2))


@dataclass(frozen=True)
class Warped:
    """A lesion map and its history.

    Attributes:
        array: P(T), float32 in [0, 1], 0 outside the brain, (*grid).
        source: name of the real mask, or "perlin".
        mirrored: whether the mask was reflected.
        time: duration of the flow.
        digest: of the real mask, "" for a random shape.
    """

    array: np.ndarray
    source: str
    mirrored: bool
    time: float
    digest: str = ""


def describe_region(inside: np.ndarray, spacing_mm: float, boundary: str, affine: np.ndarray | None = None) -> Region:
    """Return the region where lesions may lie.

    Args:
        inside: bool, (*grid), 2D or 3D.
        spacing_mm: edge length of the voxels.
        boundary: "brain" (nothing crosses the contour) or "box".
        affine: (I, J, K) index to world mm of a 3D grid, if known.
    """
    depth = None
    if boundary == "brain":
        # voxels beyond the array count as outside
        distance = ndimage.distance_transform_edt(np.pad(inside, 1))[(slice(1, -1),) * inside.ndim]
        depth = torch.from_numpy(distance.astype(np.float32))[None]
    return Region(inside, depth, spacing_mm, affine)


def draw_map(region: Region, lesions: Sequence[Lesion], options: dict, generator: np.random.Generator) -> Warped:
    """Draw one warped lesion map inside the brain; it is empty only if no lesion lies in the brain.

    Args:
        region: where the lesion may lie.
        lesions: real masks, or none.
        options: `random_shapes`, `volume_ml`, `components`, `time`, `multiplier`, `diffusivity`.
        generator: source of all random numbers.
    """
    for _ in range(ATTEMPTS):
        start, lesion, mirrored = _draw_start(region, lesions, options, generator)
        if start.any():
            break
    time = float(generator.uniform(*options["time"]))
    array = flow_map(start, region, options, time, generator)
    return Warped(array, lesion.name if lesion else RANDOM, mirrored, time, lesion.digest if lesion else "")


def flow_map(start: np.ndarray, region: Region, options: dict, time: float, generator: np.random.Generator) -> np.ndarray:
    """Move a map along a random flow and keep the part inside the brain, float32."""
    flow = draw_flow(start.ndim, [generator], multiplier=options["multiplier"], diffusivity=options["diffusivity"])
    moved = evolve(torch.from_numpy(start)[None], flow, torch.tensor([time]), region.depth)[0].numpy()
    return np.where(region.inside, moved, 0).astype(np.float32)


def _draw_start(
    region: Region, lesions: Sequence[Lesion], options: dict, generator: np.random.Generator
) -> tuple[np.ndarray, Lesion | None, bool]:
    if not lesions or region.affine is None or generator.random() < options["random_shapes"]:
        return _blobs(region, options, generator), None, False
    lesion = lesions[int(generator.integers(len(lesions)))]
    pose = lesion_masks.draw_pose(generator)
    placed = lesion_masks.place(lesion, pose, region.inside.shape[::-1], region.affine).T
    return np.where(region.inside, placed, 0).astype(np.float32), lesion, pose.mirrored


def _blobs(region: Region, options: dict, generator: np.random.Generator) -> np.ndarray:
    """Draw one or more blobs that share a volume drawn uniformly on a logarithmic scale."""
    low, high = options["volume_ml"]
    volume = float(np.exp(generator.uniform(np.log(low), np.log(high))))
    shares = generator.dirichlet(np.full(int(generator.integers(1, options["components"] + 1)), 2.0))
    total = np.zeros(region.inside.shape, dtype=np.float32)
    voxels = np.flatnonzero(region.inside)
    if not voxels.size:
        return total
    for share in shares:
        centre = np.array(np.unravel_index(generator.choice(voxels), region.inside.shape))
        total = np.maximum(total, blob(region.inside, centre, region.voxels(volume * share), RIM, generator))
    return total
