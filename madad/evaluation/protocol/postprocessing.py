"""Post-processing of anomaly maps: none by default, and the published chains, whose windows are sizes in millimetres.

A window that is wider than a lesion wears it away, and a sharp and right map loses most. Maps are therefore scored as they are.
What a published chain does to the same maps is shown beside that, after each of its steps and after all of them.

Two rules of what lies outside the mask, for two purposes:

1. Ours (`score_inside`): only voxels of the mask have a score, and a window sees these alone. A constant map stays constant.
2. That of the papers (`post_process`): what lies outside is 0, and windows see it.

Source: the order and sizes of Behrendt et al. 2023 (pDDPM, PMLR 227) and their code: erosion of the brain mask in each
axial slice, a 3D median, and, once binarised, removal of small components.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from madad.core.errors import UserError
from madad.evaluation.metrics.connected_components import components
from madad.evaluation.metrics.ordinal_scores import HALF, ZERO, ScoreCode, to_ordinals
from madad.evaluation.protocol.rank_filter import medians_at

# The published sizes: 3 voxels, 5 voxels and 7 voxels of 2 mm.
EROSION_MM, MEDIAN_MM, COMPONENT_MM3 = 6.0, 10.0, 56.0
# Standard deviation of the smoothing that is shown beside them: one voxel of 2 mm.
SMOOTHING_MM = 2.0
_CROSS = ndimage.generate_binary_structure(2, 1)[None]


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


def sizes_of(options: dict) -> Sizes:
    """Return the sizes of the main protocol from the options `erosion`, `median` and `min_component`; 0 or None for none.

    Raises:
        UserError: an even median.
    """
    chosen = {key: int(options.get(key) or 0) for key in ("erosion", "median", "min_component")}
    if chosen["median"] and chosen["median"] % 2 == 0:
        raise UserError(f"evaluation.median: {chosen['median']} is even, so the filter has no centre; take an odd side or 0")
    return Sizes(**chosen)


def published_sizes(spacing_mm: Sequence[float]) -> Sizes:
    """Return the published sizes on another grid: windows of the same millimetres, to the nearest voxel.

    | voxel | erosion | median | min_component |
    |---|---|---|---|
    | 1 mm | 6 | 9 | 56 |
    | 2 mm | 3 | 5 | 7 |
    | 3 mm | 2 | 3 | 2 |
    | 4 mm | 2 | 3 | 1 |

    Args:
        spacing_mm: of a voxel along (S, H, W).
    """
    _, *plane = spacing_mm
    side = float(np.prod(spacing_mm)) ** (1 / 3)
    return Sizes(
        erosion=max(1, int(EROSION_MM / float(np.mean(plane)) + 0.5)),
        median=max(3, 2 * round((MEDIAN_MM / side - 1) / 2 - 1e-6) + 1),
        min_component=max(1, round(COMPONENT_MM3 / float(np.prod(spacing_mm)))),
    )


def erode(brain: np.ndarray, iterations: int) -> np.ndarray:
    """Erode a brain mask (S, H, W) in each axial slice with the four-neighbour cross."""
    if iterations < 1:  # scipy would erode until nothing is left
        return brain
    return ndimage.binary_erosion(brain, _CROSS, iterations=iterations)


def coded(anomaly_map: np.ndarray, inside: np.ndarray, code: ScoreCode = HALF) -> np.ndarray:
    """Return the ordinals (S, H, W) uint16 of the voxels of a mask; `ZERO` elsewhere.

    Args:
        anomaly_map: (S, H, W) finite.
        inside: (S, H, W) bool.
        code: see `madad.evaluation.metrics.ordinal_scores`.
    """
    ordinals = np.full(anomaly_map.shape, ZERO, dtype=np.uint16)
    ordinals[inside] = to_ordinals(anomaly_map[inside], code)
    return ordinals


def post_process(anomaly_map: np.ndarray, brain: np.ndarray, sizes: Sizes, code: ScoreCode = HALF) -> np.ndarray:
    """Return `as_published` of a map (S, H, W)."""
    return as_published(coded(anomaly_map, brain, code), brain, sizes)


def as_published(ordinals: np.ndarray, brain: np.ndarray, sizes: Sizes, known: np.ndarray | None = None) -> np.ndarray:
    """Return a whole volume after a published chain: 0 outside the eroded mask, then median filtered.

    Small components are removed later, once there is a threshold.

    Args:
        ordinals: (S, H, W) uint16 of `coded`.
        brain: (S, H, W) bool.
        known: what `single_steps` has as the chain of the same sizes; only windows that see the outside are computed again.

    Returns:
        (S, H, W) uint16.
    """
    eroded = erode(brain, sizes.erosion)
    cut = np.where(eroded, ordinals, ZERO).astype(np.uint16)
    return median(cut, eroded, sizes.median, known) if sizes.median > 1 else cut


def score_inside(ordinals: np.ndarray, inside: np.ndarray, side: int) -> np.ndarray:
    """Return the scores of the voxels of a mask, median filtered among themselves; `ZERO` elsewhere.

    Args:
        ordinals: (S, H, W) uint16 of `coded`.
        inside: (S, H, W) bool, the voxels that have a score.
        side: of the median, odd; 0 for none.

    Returns:
        (S, H, W) uint16.
    """
    cut = np.where(inside, ordinals, ZERO).astype(np.uint16)
    return median_inside(cut, inside, side) if side > 1 else cut


class Step(NamedTuple):
    """What one step of a chain leaves.

    Attributes:
        inside: (S, H, W) bool, voxels that have a score.
        ordinals: (S, H, W) uint16, `ZERO` elsewhere.
    """

    inside: np.ndarray
    ordinals: np.ndarray


def smoothed(
    anomaly_map: np.ndarray, brain: np.ndarray, spacing_mm: Sequence[float], highest: float, lowest: float = 0.0
) -> np.ndarray:
    """Return the ordinals of a map after a Gaussian in each axial slice that sees the brain alone; a constant stays constant.

    The same smoothing for every method, because a little of it is worth as much as the choice between networks. Means of
    scores are new scores: they are counted from the lowest, as shares of the way to the highest, rounded to float16
    (`HALF`): an offset of all maps changes nothing.

    Args:
        anomaly_map: (S, H, W) finite.
        brain: (S, H, W) bool.
        spacing_mm: of a voxel along (S, H, W).
        highest: magnitude of the highest score in all maps of the test set.
        lowest: score that they are counted from.

    Returns:
        (S, H, W) uint16, `ZERO` outside the brain.
    """
    sigma = [0.0, *(SMOOTHING_MM / side for side in spacing_mm[1:])]
    weight = ndimage.gaussian_filter(brain.astype(np.float32), sigma)
    scaled = (np.where(brain, anomaly_map - lowest, 0) / ((highest - lowest) or 1)).astype(np.float32)
    mean = ndimage.gaussian_filter(scaled, sigma) / np.maximum(weight, np.finfo(np.float32).tiny)
    return coded(mean, brain)


def single_steps(ordinals: np.ndarray, brain: np.ndarray, sizes: Sizes) -> dict[str, Step]:
    """Return the map as it is, after each step of a chain alone, and after both: what a step does is not hidden.

    Args:
        ordinals: (S, H, W) uint16 of `coded`.
        brain: (S, H, W) bool.
        sizes: of the chain.

    Returns:
        `none`, `erosion`, `median` and `chain`. Removal of small components changes no score.
    """
    eroded = erode(brain, sizes.erosion)
    cut = np.where(eroded, ordinals, ZERO).astype(np.uint16)
    filtered, chain = ordinals, cut
    if sizes.median > 1:
        filtered = median_inside(ordinals, brain, sizes.median)
        chain = median_inside(cut, eroded, sizes.median, (filtered, brain & ~eroded))
    return {
        "none": Step(brain, ordinals),
        "erosion": Step(eroded, cut),
        "median": Step(brain, filtered),
        "chain": Step(eroded, chain),
    }


def median_inside(
    volume: np.ndarray, inside: np.ndarray, side: int, known: tuple[np.ndarray, np.ndarray] | None = None
) -> np.ndarray:
    """Return the median over the voxels of a mask in a cube around each of them, the lower one of an even number.

    Args:
        volume: (S, H, W) uint16.
        inside: (S, H, W) bool.
        side: odd.
        known: such medians with a larger mask, and what that has more, (S, H, W) bool; only what it reaches is computed again.

    Returns:
        (S, H, W) uint16, `ZERO` outside the mask.
    """
    medians, wanted = np.full_like(volume, ZERO), inside
    if known:
        wanted = inside & ndimage.maximum_filter(known[1].view(np.uint8), side).view(bool)
        medians = np.where(inside, known[0], ZERO).astype(np.uint16)
    medians[wanted] = medians_at(wanted, np.pad(volume, side // 2), np.pad(inside, side // 2), side)
    return medians


def median(volume: np.ndarray, inside: np.ndarray, side: int, known: np.ndarray | None = None) -> np.ndarray:
    """Return the median over a cube around each voxel, reflected at the border.

    Equal to `scipy.ndimage.median_filter(volume, side)`, and many times faster: where most of the cube is background its
    median is background, so few voxels are computed.

    Args:
        volume: (S, H, W) uint16, the ordinal of 0 outside `inside`.
        inside: (S, H, W) bool.
        side: odd.
        known: medians of the cubes that lie inside, (S, H, W) uint16; these are not computed again.
    """
    medians = np.full_like(volume, ZERO)
    mostly_inside = ndimage.uniform_filter(inside.astype(np.float32), side) > 0.5
    if known is not None:
        whole = ndimage.minimum_filter(inside.view(np.uint8), side, mode="constant").view(bool)
        medians[whole] = known[whole]
        mostly_inside &= ~whole
    padded = np.pad(volume, side // 2, mode="symmetric")
    medians[mostly_inside] = medians_at(mostly_inside, padded, np.ones(padded.shape, dtype=bool), side)
    return medians


def remove_small(prediction: np.ndarray, min_component: int) -> np.ndarray:
    """Remove the 26-connected components of a binary volume (S, H, W) that have fewer than `min_component` voxels."""
    if min_component <= 1:
        return prediction
    found, kept = components(prediction), np.zeros(prediction.shape, dtype=bool)
    kept.ravel()[found.places] = found.at_least(min_component)[found.members]
    return kept
