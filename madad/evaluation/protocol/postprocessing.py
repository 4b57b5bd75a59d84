"""Post-processing of every anomaly map before it is scored: the same for all methods, and configurable.

Source: the order and sizes of Behrendt et al. 2023 (pDDPM, PMLR 227) and their code: erosion of the brain mask in each
axial slice, a 3D median, and, once binarised, removal of small components.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from madad.core.errors import UserError
from madad.evaluation.metrics.connected_components import components
from madad.evaluation.metrics.ordinal_scores import ZERO, to_ordinals

# The published sizes belong to slices of 96 columns of 2 mm.
PUBLISHED_COLUMNS = 96
_CROSS = ndimage.generate_binary_structure(2, 1)[None]
# Windows that are sorted at once: enough to be vectorised, few enough for the cache.
_WINDOWS = 2048


@dataclass(frozen=True)
class Sizes:
    """Sizes in voxels.

    Attributes:
        erosion: iterations of in-plane erosion of the brain mask; 0 for none.
        median: odd side of the cubic median filter; 0 for none.
        min_component: components with fewer voxels are removed.
    """

    erosion: int
    median: int
    min_component: int


def sizes_for(options: dict, columns: int) -> Sizes:
    """Return the sizes from the options; what is None follows the published sizes, scaled to the width of the slices.

    | columns (voxel) | erosion | median | min_component |
    |---|---|---|---|
    | 192 (1 mm) | 7 | 5 | 56 |
    | 96 (2 mm) | 3 | 5 | 7 |
    | 64 (3 mm) | 2 | 3 | 2 |
    | 48 (4 mm) | 1 | 3 | 1 |

    Args:
        options: `erosion`, `median`, `min_component`; each an integer or None.
        columns: W of the pack.

    Raises:
        UserError: an even median.
    """
    published = {
        "erosion": columns // 25,
        "median": 5 if columns >= PUBLISHED_COLUMNS else 3,
        "min_component": max(1, round(7 * (columns / PUBLISHED_COLUMNS) ** 3)),
    }
    chosen = {key: default if options.get(key) is None else int(options[key]) for key, default in published.items()}
    if chosen["median"] and chosen["median"] % 2 == 0:
        raise UserError(f"evaluation.median: {chosen['median']} is even, so the filter has no centre; take an odd side or 0")
    return Sizes(**chosen)


def erode(brain: np.ndarray, iterations: int) -> np.ndarray:
    """Erode a brain mask (S, H, W) in each axial slice with the four-neighbour cross."""
    if iterations < 1:  # scipy would erode until nothing is left
        return brain
    return ndimage.binary_erosion(brain, _CROSS, iterations=iterations)


def post_process(anomaly_map: np.ndarray, brain: np.ndarray, sizes: Sizes) -> np.ndarray:
    """Return the ordinals of the post-processed scores of a whole volume.

    Small components are removed later, once there is a threshold. The map is set to 0 outside the eroded mask and median
    filtered. An evaluation of the whole brain keeps the rim between the eroded and the full mask, so that a lesion there
    counts as missed.

    Args:
        anomaly_map: (S, H, W) finite.
        brain: (S, H, W) bool.

    Returns:
        (S, H, W) uint16, see `madad.evaluation.metrics.ordinal_scores`.
    """
    eroded = erode(brain, sizes.erosion)
    ordinals = to_ordinals(np.where(eroded, anomaly_map, 0))
    return median(ordinals, eroded, sizes.median) if sizes.median > 1 else ordinals


def single_steps(anomaly_map: np.ndarray, brain: np.ndarray, sizes: Sizes, processed: np.ndarray) -> dict[str, np.ndarray]:
    """Return the ordinals of the map as it is, and after each step of `post_process` alone: what a step does is not hidden.

    Args:
        anomaly_map: (S, H, W) finite.
        brain: (S, H, W) bool.
        processed: (S, H, W) uint16 of `post_process`, whose medians serve where the erosion played no part.

    Returns:
        `none`, `erosion` and `median`, each (S, H, W) uint16. Removal of small components changes no score.
    """
    plain, eroded = to_ordinals(np.where(brain, anomaly_map, 0)), erode(brain, sizes.erosion)
    filtered = plain
    if sizes.median > 1:
        filtered = median(plain, brain, sizes.median, (processed, brain & ~eroded)) if sizes.erosion else processed
    return {"none": plain, "erosion": np.where(eroded, plain, ZERO), "median": filtered}


def median(volume: np.ndarray, inside: np.ndarray, side: int, known: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
    """Return the median over a cube around each voxel, reflected at the border.

    Equal to `scipy.ndimage.median_filter(volume, side)`, and many times faster: where most of the cube is background its
    median is background, so few voxels are computed, and the partition of short integers is vectorised.

    Args:
        volume: (S, H, W) uint16, the ordinal of 0 outside `inside`.
        inside: (S, H, W) bool.
        side: odd.
        known: medians of this volume with a part of it set to 0, and that part, (S, H, W) bool; only what it reaches is
            computed again.
    """
    if not inside.any():
        return np.full_like(volume, ZERO)
    mostly_inside = ndimage.uniform_filter(inside.astype(np.float32), side) > 0.5
    medians = np.full_like(volume, ZERO)
    if known:
        reached = ndimage.maximum_filter(known[1].view(np.uint8), side).view(bool)
        medians = known[0].copy()
        mostly_inside &= reached
    medians[mostly_inside] = _medians_at(mostly_inside, volume, side)
    return medians


def _medians_at(wanted: np.ndarray, volume: np.ndarray, side: int) -> np.ndarray:
    """Return the medians of the cubes around the wanted voxels, in their order."""
    padded = np.pad(volume, side // 2, mode="symmetric")
    # one item for the voxels of a row of the cube, so that a cube is gathered from side² items, not from side³
    rows = np.ascontiguousarray(sliding_window_view(padded, side, axis=2)).view(f"V{2 * side}")[..., 0]
    steps = np.ravel_multi_index(np.indices((side, side, 1)).reshape(3, -1), rows.shape)
    corners = np.ravel_multi_index(np.nonzero(wanted), rows.shape)
    medians, cubes = np.empty(corners.size, dtype=volume.dtype), np.empty((_WINDOWS, side**2), dtype=rows.dtype)
    for start in range(0, corners.size, _WINDOWS):
        chunk = slice(start, start + _WINDOWS)
        gathered = cubes[: corners[chunk].size]
        np.take(rows, corners[chunk, None] + steps, out=gathered, mode="clip")
        values = gathered.view(volume.dtype)
        values.partition(side**3 // 2, axis=1)
        medians[chunk] = values[:, side**3 // 2]
    return medians


def remove_small(prediction: np.ndarray, min_component: int) -> np.ndarray:
    """Remove the 26-connected components of a binary volume (S, H, W) that have fewer than `min_component` voxels."""
    if min_component <= 1:
        return prediction
    found, kept = components(prediction), np.zeros(prediction.shape, dtype=bool)
    kept.ravel()[found.places] = found.at_least(min_component)[found.members]
    return kept
