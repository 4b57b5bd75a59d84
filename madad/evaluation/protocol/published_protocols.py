"""The papers' own protocols on the same maps, so that a table of a paper can be compared with ours line by line.

What they share, and where they differ from Protocol v1:

1. Post-processing of the paper's own sizes, whatever the options of the evaluation are.
2. All voxels of a volume count: the background, which is easy, and lesion voxels outside the brain mask.
3. One threshold per test set, from its validation subjects with lesions, by halving intervals on their pooled Dice before
   small components are removed (`validation`); or the best threshold of every subject, on its own labels (`subject`).
4. Dice and average precision of each test subject with lesions; the papers print their means.
5. Healthy l1 over the whole volume, before post-processing (`madad.evaluation.metrics.reconstruction.whole_volume_l1`).

MAD-AD differs (`slices`): the Dice of one slice a subject, in the brain, at the best threshold of the test set
(`madad.evaluation.protocol.paper_slices`).

Sources: `behrendt`: arXiv 2303.03758 (pDDPM with its DDPM), 2312.04215 (cDDPM), 2305.19867 (mDDPM); `mhd`: 2407.12474;
`conddiff`: 2506.10233; `mad_ad`: 2502.16943; and their code, where text and code differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from madad.core.errors import UserError
from madad.core.logs import say, warn
from madad.evaluation.metrics.ordinal_scores import HALF, ZERO, ScoreCode, count, ordinal_at, to_score
from madad.evaluation.metrics.thresholds import NO_LESION_VALIDATION
from madad.evaluation.metrics.voxel_metrics import dice_curve
from madad.evaluation.protocol.postprocessing import Sizes, published_sizes, remove_small
from madad.evaluation.results.protocol_table import PUBLISHED

SEARCH_STEPS = 10


def _behrendt(spacing_mm: Sequence[float]) -> Sizes:
    """Return the published sizes; by the released code components of just 7 voxels go too; the text says below 7."""
    sizes = published_sizes(spacing_mm)
    return replace(sizes, min_component=sizes.min_component + 1)


def _conddiff(spacing_mm: Sequence[float]) -> Sizes:
    """Return 6 and 5 voxels of 1 mm; the released code erodes in three dimensions, here as everywhere in the plane."""
    side = float(np.prod(spacing_mm)) ** (1 / 3)
    return Sizes(erosion=published_sizes(spacing_mm).erosion, median=max(3, 2 * round((5 / side - 1) / 2) + 1), min_component=0)


def _none(spacing_mm: Sequence[float]) -> Sizes:
    return Sizes(0, 0, 0)


@dataclass(frozen=True)
class Chain:
    """What a paper does to its maps.

    Attributes:
        sizes: of the post-processing, for voxels (S, H, W) of these millimetres.
        words: the same for people.
        threshold: whose labels choose it: those of validation subjects, of each test subject for itself, or of all test slices.
        slices: which slices of a volume are scored (`SLICES`), where `threshold` is "slices".
    """

    sizes: Callable[[Sequence[float]], Sizes]
    words: str
    threshold: Literal["validation", "subject", "slices"] = "validation"
    slices: str = ""


# A card names its chain under `published_scoring`.
CHAINS = {
    "behrendt": Chain(
        _behrendt, "brain mask eroded by 6 mm, median over 10 mm, components up to 56 mm³ removed (3, 5 and 7 voxels of 2 mm)"
    ),
    "mhd": Chain(_none, "maps as they are"),
    "conddiff": Chain(
        _conddiff,
        "brain mask eroded by 6 mm, median over 5 mm; the best threshold of each subject, which sees its labels",
        threshold="subject",
    ),
    "mad_ad": Chain(
        _none,
        "maps as they are; of each subject the slice with the largest lesion, at the threshold with the best mean Dice of the "
        "test slices, which sees their labels; its AUPRC is not per subject",
        threshold="slices",
        slices="largest_slice",
    ),
}


def chain_of(name: str) -> Chain:
    """Return a chain by its name.

    Raises:
        UserError: there is no such chain.
    """
    if name not in CHAINS:
        raise UserError(f"published_scoring: {name!r} is not one of {', '.join(CHAINS)}")
    return CHAINS[name]


def count_all(ordinals: np.ndarray, lesion: np.ndarray, voxels: int) -> np.ndarray:
    """Return the counts (2, bins) of all voxels of a volume.

    Args:
        ordinals: uint16 of any shape, from `postprocessing.post_process`: all of the volume but background.
        lesion: bool of that shape, inside and outside the brain.
        voxels: of the whole volume.
    """
    counts = count(ordinals.ravel(), lesion.ravel())
    counts[0, ZERO] += voxels - lesion.size
    return counts


def choose(validation: np.ndarray, code: ScoreCode = HALF) -> float:
    """Return the threshold from the pooled counts (2, bins) of the validation subjects with lesions; NaN without them."""
    threshold = np.nan
    if validation[1].any():
        threshold = best_by_halving(validation, code)
    else:
        warn(f"{PUBLISHED.name}: no threshold, because {NO_LESION_VALIDATION}; its Dice is NaN")
    say(f"threshold {PUBLISHED.name}: {threshold:.4g}")
    return threshold


def dice(ordinals: np.ndarray, lesion: np.ndarray, threshold: float, min_component: int, code: ScoreCode = HALF) -> float:
    """Return the Dice over all voxels; NaN without a threshold, and where neither mask has a voxel (papers leave these out).

    Args:
        ordinals: (s, h, w) uint16, as `count_all` takes them.
        lesion: (s, h, w) bool.
        threshold: a score, or NaN.
        min_component: components with fewer voxels are removed.
    """
    if np.isnan(threshold):
        return np.nan
    prediction = remove_small(ordinals > ordinal_at(threshold, code), min_component)
    voxels = np.count_nonzero(prediction) + np.count_nonzero(lesion)
    return 2 * np.count_nonzero(prediction & lesion) / voxels if voxels else np.nan


def dice_of_subject(ordinals: np.ndarray, lesion: np.ndarray, voxels: int) -> float:
    """Return the best Dice over all voxels at any threshold; NaN without a lesion voxel.

    Args:
        ordinals, lesion, voxels: as `count_all` takes them.
    """
    return float(dice_curve(count_all(ordinals, lesion, voxels)).max())


def best_by_halving(counts: np.ndarray, code: ScoreCode = HALF) -> float:
    """Return the threshold with the best pooled Dice that `halve` meets between 0 and the highest score.

    Args:
        counts: (2, bins), see `madad.evaluation.metrics.ordinal_scores.count`.
    """
    curve = dice_curve(counts)
    highest = to_score(int(np.flatnonzero(counts.any(axis=0))[-1]), code)
    return halve(lambda threshold: float(curve[ordinal_at(threshold, code) + 1]), highest)


def halve(quality: Callable[[float], float], highest: float, steps: int = SEARCH_STEPS) -> float:
    """Halve [0, highest] again and again, keep the half whose middle is better (the lower if equal), and return the best point.

    Of equally good points it returns the one that it met last, of a pair the lower. As in the released code of arXiv 2303.03758.
    It sees `highest` / 2^(steps + 1) at best, and can take the wrong half where the quality is not symmetric around its best
    point.
    """
    low, high = 0.0, highest
    best = (-np.inf, 0.0)
    for _ in range(steps):
        quarter = (high - low) / 4
        lower, upper = ((quality(point), point) for point in (low + quarter, high - quarter))
        best = max(lower, upper, best, key=lambda pair: pair[0])  # the first of equals
        low, high = (low, high - 2 * quarter) if lower[0] >= upper[0] else (low + 2 * quarter, high)
    return best[1]
