"""Distances between the surfaces of two masks in millimetres."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

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


def surface_distances(prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]) -> SurfaceDistances:
    """Measure the distances between two surfaces; the surface of a mask is its voxels with one of six neighbours outside.

    Args:
        prediction: (S, H, W) bool.
        reference: (S, H, W) bool.
        spacing_mm: voxel size in the same order.
    """
    diagonal = float(np.linalg.norm(np.asarray(prediction.shape) * np.asarray(spacing_mm)))
    if not (prediction.any() and reference.any()):
        return SurfaceDistances(np.zeros(0), np.zeros(0), diagonal)
    predicted, true = (_surface_mm(mask, spacing_mm) for mask in (prediction, reference))
    area, near = _areas_mm2(prediction, reference, spacing_mm)
    return SurfaceDistances(_distances(predicted, true), _distances(true, predicted), diagonal, area, near)


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


def _areas_mm2(prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]) -> tuple[float, float]:
    """Return the area of both surfaces, and that of their parts within the tolerance."""
    (one, own), (other, its) = (_elements(mask, spacing_mm) for mask in (prediction, reference))
    reach = TOLERANCE_MM + _ROUNDING_MM
    near = float(own[_distances(one, other, reach) <= reach].sum() + its[_distances(other, one, reach) <= reach].sum())
    return float(own.sum() + its.sum()), near


def _elements(mask: np.ndarray, spacing_mm: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the elements of a surface: positions (N, 3) in mm, and areas (N,) in mm²."""
    padded, code = np.pad(mask, 1), np.zeros(np.add(mask.shape, 1), dtype=np.uint8)
    for bit, corner in enumerate(itertools.product((0, 1), repeat=3)):
        window = tuple(slice(start, start + size) for start, size in zip(corner, code.shape, strict=True))
        code |= padded[window].astype(np.uint8) << np.uint8(bit)
    places = np.argwhere((code > 0) & (code < 255))
    areas = _areas_of_codes(tuple(float(side) for side in spacing_mm))
    return places * np.asarray(spacing_mm, dtype=np.float64), areas[code[tuple(places.T)]]


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


def _surface_mm(mask: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """Return the positions of the surface voxels, (N, 3) in mm; beyond the border of the image is outside."""
    padded = np.pad(mask, 1)
    inside = np.ones_like(mask)
    for axis in range(mask.ndim):
        for start in (0, 2):
            window = tuple(slice(start, start + size) if at == axis else slice(1, 1 + size) for at, size in enumerate(mask.shape))
            inside &= padded[window]
    return np.argwhere(mask & ~inside) * np.asarray(spacing_mm, dtype=np.float64)


def _distances(points: np.ndarray, others: np.ndarray, within: float = np.inf) -> np.ndarray:
    """Return the distance of every point to the nearest of the others; infinity where that is farther than `within`."""
    # an unbalanced tree is built faster than a balanced one
    tree = KDTree(others, leafsize=32, balanced_tree=False, compact_nodes=False)
    return tree.query(points, distance_upper_bound=within * (1 + 1e-9))[0]
