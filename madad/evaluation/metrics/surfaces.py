"""Distances between the surfaces of two masks in millimetres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from madad.evaluation.metrics.empty_masks import IMAGE_DIAGONAL, empty_value

PERCENTILE = 95
TOLERANCE_MM = 2.0
# A stored spacing is rounded; a distance of two times 1.0000001 mm is still one of 2 mm.
_ROUNDING_MM = 1e-5


def surface_metrics(prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]) -> dict[str, float]:
    """HD95 and NSD of a prediction; when a mask is empty as `madad.evaluation.metrics.empty_masks` declares.

    The surface of a mask are its voxels with one of the six neighbours outside. `hd95` is the larger of the two 95th
    percentiles of the distances to the other surface in mm (Huttenlocher et al. 1993, doi:10.1109/34.232073), `nsd_2mm`
    the share of both surfaces within 2 mm of the other (Nikolov et al. 2021, doi:10.2196/26151), counted in voxels.

    Args:
        prediction, reference: (S, H, W) bool.
        spacing_mm: voxel size in the same order.
    """
    empty = (not prediction.any(), not reference.any())
    if any(empty):
        diagonal = float(np.linalg.norm(np.asarray(prediction.shape) * np.asarray(spacing_mm)))
        declared = {name: empty_value(name, *empty) for name in ("hd95", "nsd_2mm")}
        return {name: diagonal if value == IMAGE_DIAGONAL else float(value) for name, value in declared.items()}
    predicted, true = (_surface_mm(mask, spacing_mm) for mask in (prediction, reference))
    there, back = _distances(predicted, true), _distances(true, predicted)
    near = sum(int(np.count_nonzero(distance <= TOLERANCE_MM + _ROUNDING_MM)) for distance in (there, back))
    return {
        "hd95": float(max(np.percentile(there, PERCENTILE), np.percentile(back, PERCENTILE))),
        "nsd_2mm": near / (there.size + back.size),
    }


def _surface_mm(mask: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """Places of the surface voxels, (N, 3) in mm; beyond the border of the image is outside."""
    padded = np.pad(mask, 1)
    inside = np.ones_like(mask)
    for axis in range(mask.ndim):
        for start in (0, 2):
            window = tuple(slice(start, start + size) if at == axis else slice(1, 1 + size) for at, size in enumerate(mask.shape))
            inside &= padded[window]
    return np.argwhere(mask & ~inside) * np.asarray(spacing_mm, dtype=np.float64)


def _distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of every point to the nearest of the others. An unbalanced tree is quicker built than a balanced one."""
    return cKDTree(others, leafsize=32, balanced_tree=False, compact_nodes=False).query(points)[0]
