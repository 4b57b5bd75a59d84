"""Dice per slice, as in papers on 2D methods. It is high because slices without a lesion are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from madad.evaluation.metrics.ordinal_scores import BINS

THRESHOLDS = 512
SMALLEST_RATE = 1e-6


class SliceDice(NamedTuple):
    """Sum of the Dice of one sample's slices with a lesion at every threshold of a grid, (G,), and how many slices."""

    total: np.ndarray
    slices: int


def threshold_grid(counts: np.ndarray) -> np.ndarray:
    """Return the ordinals that `dice_slice` is tried at, ascending: a fixed grid, where the other oracles try every score.

    512 quantiles of the lesion voxels' scores and 512 of the healthy tissue's, those spaced evenly in the logarithm of the
    share above, so that the grid is dense both where lesions and where the last false positives disappear.

    Args:
        counts: (2, bins) pooled over the test subjects with a lesion.

    Returns:
        (G,) int64, at most 1,024; none without a lesion voxel.
    """
    if not counts[1].any():
        return np.zeros(0, dtype=np.int64)
    shares = (np.geomspace(SMALLEST_RATE, 1, THRESHOLDS), np.linspace(0, 1, THRESHOLDS))
    grids = []
    for tissue, share in zip(counts, shares, strict=True):
        below = np.cumsum(tissue)
        grids.append(np.searchsorted(below, below[-1] * (1 - share), side="left"))
    # the lowest takes every voxel, and is the ordinal of a score
    lowest = int(np.flatnonzero(counts.any(axis=0))[0]) - 1
    return np.unique(np.concatenate(grids).clip(min=lowest, max=BINS - 1))


def slice_dice(inside: np.ndarray, brain: np.ndarray, reference: np.ndarray, grid: np.ndarray) -> SliceDice:
    """Return the Dice of every slice with a lesion in the brain at every threshold, added up; small components are kept.

    Args:
        inside: (S, H, W) uint16 ordinals.
        brain: (S, H, W) bool.
        reference: (S, H, W) bool, inside the brain.
        grid: (G,) of `threshold_grid`.
    """
    shown = np.flatnonzero(reference.any(axis=(1, 2)))
    if not shown.size or not grid.size:
        return SliceDice(np.zeros(grid.size), 0)
    # how many thresholds lie below each ordinal
    below = np.cumsum(np.bincount(grid, minlength=BINS)) - np.bincount(grid, minlength=BINS)
    place = below[inside[shown]] + (grid.size + 1) * np.arange(shown.size)[:, None, None]
    above = {}
    for name, mask in (("brain", brain[shown]), ("lesion", reference[shown])):
        found = np.bincount(place[mask], minlength=shown.size * (grid.size + 1)).reshape(shown.size, -1)
        above[name] = np.cumsum(found[:, ::-1], axis=1)[:, ::-1]
    true, predicted, lesion = above["lesion"][:, 1:], above["brain"][:, 1:], above["lesion"][:, :1]
    return SliceDice((2 * true / (predicted + lesion)).sum(axis=0), shown.size)


class Best(NamedTuple):
    """Entry of the best common threshold in the grid, and the mean Dice of all slices there."""

    entry: int
    mean: float


def best_entry(samples: Sequence[SliceDice]) -> Best | None:
    """Return the threshold with the best mean over all slices with a lesion, the lowest if equal; None without such slices."""
    number = sum(one.slices for one in samples)
    if not number:
        return None
    total = np.sum([one.total for one in samples], axis=0)
    entry = int(np.argmax(total))
    return Best(entry, float(total[entry] / number))
