"""Scores of single slices, as in papers on 2D methods: the best mean Dice of slices, and the best Dice of all of them pooled.

A paper takes one or some slices of a volume (`choose`), and the threshold that is best on the test labels: of the mean of the
slices' Dice (*Max Dice*), or of the Dice of all their voxels (*Global Max Dice*). Maps are taken as they are. Thresholds are
exact over all scores; the paper tries 201.

Source: MAD-AD (arXiv 2502.16943) and its code; slices 70 to 89 of 155 are those of IterMask² (MICCAI 2024).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from madad.evaluation.metrics.ordinal_scores import BINS, ZERO, ScoreCode, Tally, count, no_counts, to_score
from madad.evaluation.metrics.voxel_metrics import average_precision, dice_curve
from madad.evaluation.results.long_table import WHOLE_TEST_SET, LongTable
from madad.evaluation.results.metric_table import AUPRC, DICE_POOLED, DICE_SLICE, THRESHOLD
from madad.evaluation.results.protocol_table import BACKGROUND, SLICES, STRATA, slices

# The middle slices of IterMask², as shares of the height of its volumes.
MIDDLE = (70 / 155, 90 / 155)


def choose(choice: str, lesion: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Return which axial slices of a volume count, (S,) bool.

    Args:
        choice: a key of `SLICES`.
        lesion: (S, H, W) bool; `largest_slice` takes none where it is empty.
        brain: (S, H, W) bool.
    """
    number = len(lesion)
    middle, chosen = np.arange(number) == number // 2, np.zeros(number, dtype=bool)
    if choice == "mid_slice":
        return middle
    if choice == "every_slice":
        return np.asarray(brain.any(axis=(1, 2)))
    if choice == "middle_slices":
        heights = (np.arange(number) + 0.5) / number
        chosen = (heights >= MIDDLE[0]) & (heights < MIDDLE[1])
        return chosen if chosen.any() else middle
    areas = lesion.sum(axis=(1, 2))
    chosen[np.argmax(areas)] = areas.any()
    return chosen


class SliceCounts(NamedTuple):
    """The chosen slices of one sample.

    Attributes:
        tally: of the voxels of the brain.
        curve: (BINS + 1,) sum of the slices' Dice at every threshold, as `dice_curve` counts them.
        number: of slices.
        outside: healthy and lesion voxels outside the brain, which have the score 0.
        strata: tallies of the slices whose lesion belongs to a stratum.
    """

    tally: Tally
    curve: np.ndarray
    number: int
    outside: tuple[int, int]
    strata: dict[str, Tally]


def count_slices(ordinals: np.ndarray, brain: np.ndarray, lesion: np.ndarray, pixels: int, pixel_mm2: float) -> SliceCounts:
    """Count the scores of chosen slices.

    Args:
        ordinals: (n, h, w) uint16, maps as they are, in a box that holds brain and lesions.
        brain, lesion: (n, h, w) bool.
        pixels: of a whole slice.
        pixel_mm2: area of a pixel.
    """
    whole, curve, strata = no_counts(), np.zeros(BINS + 1), {}
    for scores, inside, shown in zip(ordinals, brain, lesion, strict=True):
        counts = count(scores[inside], shown[inside])
        whole += counts
        curve += _slice_curve(counts)
        stratum = _stratum(counts[1].sum() * pixel_mm2)
        strata[stratum] = strata.get(stratum, 0) + counts
    missed = int(np.count_nonzero(lesion & ~brain))
    outside = len(brain) * pixels - int(np.count_nonzero(brain)) - missed
    tallies = {stratum: Tally.of(counts) for stratum, counts in strata.items() if stratum}
    return SliceCounts(Tally.of(whole), curve, len(brain), (outside, missed), tallies)


def _slice_curve(counts: np.ndarray) -> np.ndarray:
    """Return the Dice of a slice at every threshold; without a lesion 1 where nothing is predicted, else 0."""
    if counts[1].any():
        return dice_curve(counts)
    occupied = np.flatnonzero(counts[0])
    return (np.arange(BINS + 1) > (occupied[-1] if occupied.size else -1)).astype(np.float64)


def _stratum(area_mm2: float) -> str:
    return next((name for name, (above, most) in STRATA.items() if above < area_mm2 <= most), "")


@dataclass
class PooledSlices:
    """The chosen slices of all test samples with a lesion; see `SliceCounts`."""

    counts: np.ndarray = field(default_factory=no_counts)
    curve: np.ndarray = field(default_factory=lambda: np.zeros(BINS + 1))
    number: int = 0
    outside: np.ndarray = field(default_factory=lambda: np.zeros(2, dtype=np.int64))
    strata: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, own: SliceCounts) -> None:
        """Add a sample."""
        own.tally.add_to(self.counts)
        self.curve += own.curve
        self.number += own.number
        self.outside += own.outside
        for stratum, tally in own.strata.items():
            tally.add_to(self.strata.setdefault(stratum, no_counts()))

    @property
    def best(self) -> int | None:
        """Threshold with the best mean Dice of the slices, the lowest if equal; None without slices."""
        return int(np.argmax(self.curve)) - 1 if self.number else None


def mean_dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Return the mean over slices (n, h, w) of the Dice of bool masks, 1 where both are empty; NaN without slices."""
    axes = (1, 2)
    both, sizes = (prediction & reference).sum(axes), prediction.sum(axes) + reference.sum(axes)
    return float(np.where(sizes > 0, 2 * both / np.maximum(sizes, 1), 1).mean()) if len(sizes) else np.nan


def add_slices(pooled: Mapping[str, PooledSlices], table: LongTable, code: ScoreCode) -> None:
    """Add the numbers of the whole test set for every choice of slices that was pooled."""
    for choice, pool in pooled.items():
        if choice not in SLICES or pool.best is None:
            continue
        name = slices(choice).name
        table.add(WHOLE_TEST_SET, name, THRESHOLD.name, to_score(pool.best, code))
        table.add(WHOLE_TEST_SET, name, DICE_SLICE.name, float(pool.curve.max() / pool.number))
        table.add(WHOLE_TEST_SET, name, DICE_POOLED.name, _best(pool.counts))
        table.add(WHOLE_TEST_SET, name, AUPRC.name, float(average_precision(pool.counts)))
        whole = pool.counts.copy()
        whole[:, ZERO] += pool.outside
        table.add(WHOLE_TEST_SET, slices(choice, BACKGROUND).name, AUPRC.name, float(average_precision(whole)))
        for stratum in STRATA:
            value = _best(pool.strata.get(stratum, no_counts()))
            table.add(WHOLE_TEST_SET, slices(choice, stratum).name, DICE_POOLED.name, value)


def _best(counts: np.ndarray) -> float:
    return float(dice_curve(counts).max())
