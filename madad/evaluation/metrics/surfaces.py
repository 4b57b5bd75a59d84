"""Distances between the surfaces of two masks in millimetres."""

from __future__ import annotations

from collections.abc import Sequence
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
        diagonal: of the image.
    """

    there: np.ndarray
    back: np.ndarray
    diagonal: float


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
    return SurfaceDistances(_distances(predicted, true), _distances(true, predicted), diagonal)


def hd95(distances: SurfaceDistances) -> float:
    """Return the larger of the two 95th percentiles of the distances (Huttenlocher et al. 1993, doi:10.1109/34.232073)."""
    return float(max(np.percentile(distances.there, PERCENTILE), np.percentile(distances.back, PERCENTILE)))


def nsd_2mm(distances: SurfaceDistances) -> float:
    """Return the share of both surfaces within 2 mm of the other, in voxels (Nikolov et al. 2021, doi:10.2196/26151)."""
    pair = (distances.there, distances.back)
    near = sum(int(np.count_nonzero(distance <= TOLERANCE_MM + _ROUNDING_MM)) for distance in pair)
    return near / (distances.there.size + distances.back.size)


def _surface_mm(mask: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """Return the positions of the surface voxels, (N, 3) in mm; beyond the border of the image is outside."""
    padded = np.pad(mask, 1)
    inside = np.ones_like(mask)
    for axis in range(mask.ndim):
        for start in (0, 2):
            window = tuple(slice(start, start + size) if at == axis else slice(1, 1 + size) for at, size in enumerate(mask.shape))
            inside &= padded[window]
    return np.argwhere(mask & ~inside) * np.asarray(spacing_mm, dtype=np.float64)


def _distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the distance of every point to the nearest of the others. An unbalanced tree is built faster than a balanced one."""
    return KDTree(others, leafsize=32, balanced_tree=False, compact_nodes=False).query(points)[0]
