"""Distances between the surfaces of two masks in millimetres."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple, Self

import numpy as np
from scipy.spatial import KDTree

from madad.evaluation.metrics.bounding_box import bounding_box

PERCENTILE = 95
TOLERANCE_MM = 2.0
# A stored spacing is rounded; a distance of two times 1.0000001 mm is still one of 2 mm.
_ROUNDING_MM = 1e-5


class SurfaceDistances(NamedTuple):
    """Distances in mm between the surfaces of two masks.

    Attributes:
        there: (N,) from every surface voxel of the prediction to the reference; empty when a mask is.
        back: (M,) from every surface voxel of the reference to the prediction; empty when a mask is.
        diagonal: of the box that the masks fill.
        area: mm² of both surfaces; 0 when a mask is empty.
        near: mm² of them that are within `TOLERANCE_MM` of the other one.
    """

    there: np.ndarray
    back: np.ndarray
    diagonal: float
    area: float = 0.0
    near: float = 0.0


@dataclass(frozen=True)
class Surface:
    """The surface of a mask that is not empty.

    Attributes:
        voxels: (N, 3) mm, of the voxels with one of six neighbours outside; beyond the border of the image is outside.
        elements: (M, 3) mm, of the pieces of the marching-cubes surface, each between eight voxels.
        areas: (M,) mm² of the pieces.
    """

    voxels: np.ndarray
    elements: np.ndarray
    areas: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray, spacing_mm: Sequence[float]) -> Self:
        """Measure the surface of a mask (S, H, W) bool with voxels of a size in the same order."""
        box = bounding_box(mask)
        padded, corner = np.pad(mask[box], 1), np.array([side.start for side in box])
        spacing = np.asarray(spacing_mm, dtype=np.float64)
        places, codes = _between_eight(padded)
        areas = _areas_of_codes(tuple(float(side) for side in spacing_mm))[codes]
        return cls((_on_surface(padded) + corner) * spacing, (places + corner) * spacing, areas)

    @cached_property
    def tree_of_voxels(self) -> KDTree:
        """Look-up of the voxels."""
        return _tree(self.voxels)

    @cached_property
    def tree_of_elements(self) -> KDTree:
        """Look-up of the elements."""
        return _tree(self.elements)


def surface_distances(
    prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float], known: Surface | None = None
) -> SurfaceDistances:
    """Measure the distances between two surfaces.

    Args:
        prediction: (S, H, W) bool.
        reference: (S, H, W) bool.
        spacing_mm: voxel size in the same order.
        known: surface of the reference, if it has been measured.
    """
    diagonal = float(np.linalg.norm(np.asarray(prediction.shape) * np.asarray(spacing_mm)))
    if not (prediction.any() and reference.any()):
        return SurfaceDistances(np.zeros(0), np.zeros(0), diagonal)
    one, other = Surface.of(prediction, spacing_mm), known or Surface.of(reference, spacing_mm)
    reach = TOLERANCE_MM + _ROUNDING_MM
    near = float(
        one.areas[_distances(one.elements, other.tree_of_elements, reach) <= reach].sum()
        + other.areas[_distances(other.elements, one.tree_of_elements, reach) <= reach].sum()
    )
    there, back = _distances(one.voxels, other.tree_of_voxels), _distances(other.voxels, one.tree_of_voxels)
    return SurfaceDistances(there, back, diagonal, float(one.areas.sum() + other.areas.sum()), near)


def hd95(distances: SurfaceDistances) -> float:
    """Return the larger of the two 95th percentiles of the distances (Huttenlocher et al. 1993, doi:10.1109/34.232073)."""
    return float(max(np.percentile(distances.there, PERCENTILE), np.percentile(distances.back, PERCENTILE)))


def hd95_penalty(distances: SurfaceDistances) -> float:
    """Return 0: two surfaces have a distance. Where a mask is empty 1 is declared, and `hd95` is the box's diagonal."""
    return 0.0


def nsd_2mm(distances: SurfaceDistances) -> float:
    """Return the share of the area of both surfaces within 2 mm of the other (Nikolov et al. 2021, doi:10.2196/26151).

    As in the package `surface-distance`: a surface is the marching-cubes surface of a mask, an element of it lies between eight
    voxels, weighs its area, and is near when the closest element of the other surface is.
    """
    return distances.near / distances.area


def _between_eight(padded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where eight voxels are not alike, (N, 3) without the margin, and which of them are in the mask, (N,) 1 … 254."""
    code = np.zeros(np.subtract(padded.shape, 1), dtype=np.uint8)
    for bit, corner in enumerate(itertools.product((0, 1), repeat=3)):
        window = tuple(slice(start, start + size) for start, size in zip(corner, code.shape, strict=True))
        code |= padded[window].view(np.uint8) << np.uint8(bit)
    places = np.flatnonzero((code > 0) & (code < 255))
    return np.stack(np.unravel_index(places, code.shape), axis=1), code.ravel()[places]


@lru_cache(maxsize=8)
def _areas_of_codes(spacing_mm: tuple[float, ...]) -> np.ndarray:
    """Return the area in mm² of the marching-cubes surface between eight voxels, (256,) by which of them are in the mask."""
    from skimage.measure import marching_cubes, mesh_surface_area  # slow to import

    areas = np.zeros(256)
    for code in range(1, 255):
        corners = np.array([code >> bit & 1 for bit in range(8)], dtype=np.float32).reshape(2, 2, 2)
        vertices, faces, *_ = marching_cubes(corners, 0.5, spacing=spacing_mm, method="lorensen")
        areas[code] = mesh_surface_area(vertices, faces)
    return areas


def _on_surface(padded: np.ndarray) -> np.ndarray:
    """Return the surface voxels of a mask with a margin, (N, 3) without it."""
    mask = padded[1:-1, 1:-1, 1:-1]
    inside = mask.copy()
    for axis in range(mask.ndim):
        for start in (0, 2):
            window = tuple(slice(start, start + size) if at == axis else slice(1, 1 + size) for at, size in enumerate(mask.shape))
            inside &= padded[window]
    return np.stack(np.unravel_index(np.flatnonzero(mask & ~inside), mask.shape), axis=1)


def _tree(points: np.ndarray) -> KDTree:
    # an unbalanced tree is built faster than a balanced one
    return KDTree(points, leafsize=32, balanced_tree=False, compact_nodes=False)


def _distances(points: np.ndarray, others: KDTree, within: float = np.inf) -> np.ndarray:
    """Return the distance of every point to the nearest of the others; infinity where that is farther than `within`."""
    return others.query(points, distance_upper_bound=within * (1 + 1e-9))[0]
