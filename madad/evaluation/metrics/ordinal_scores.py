"""Anomaly scores as integers in the same order, so that counting replaces sorting and nothing is rounded.

Maps are stored as float16, which has 65,536 patterns. Each becomes an ordinal 0 … 65,535 that grows with the score; the
counts of lesion and healthy voxels per ordinal then give every ranking metric exactly, for one subject or for thousands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

BINS = 1 << 16
ZERO = 1 << 15  # the ordinal of the score 0, which is that of the background
_SIGN = np.uint16(1 << 15)


def to_ordinals(scores: np.ndarray) -> np.ndarray:
    """Return the ordinals (uint16) of finite scores of any shape; −0 and +0 are one score."""
    bits = (scores.astype(np.float16) + np.float16(0)).view(np.uint16)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def to_scores(ordinals: np.ndarray) -> np.ndarray:
    """Return the scores (float32) of ordinals of any shape."""
    bits = np.where(ordinals & _SIGN, ordinals ^ _SIGN, ~ordinals)
    return bits.view(np.float16).astype(np.float32)


def to_score(ordinal: int) -> float:
    """Return the score of one ordinal; −1, below every score, gives −inf."""
    return -np.inf if ordinal < 0 else float(to_scores(np.array([ordinal], dtype=np.uint16))[0])


def ordinal_at(score: float) -> int:
    """Return the highest ordinal whose score is not above a number, so that "ordinal > it" means "score > number"."""
    nearest = int(to_ordinals(np.array([score]))[0])
    return nearest - (to_score(nearest) > score)


def count(ordinals: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the number of voxels per ordinal, shape (2, BINS) int64: row 0 healthy tissue, row 1 lesion.

    Args:
        ordinals: (V,) uint16, one per voxel.
        reference: (V,) bool, True inside a lesion.
    """
    return np.stack([np.bincount(ordinals[~reference], minlength=BINS), np.bincount(ordinals[reference], minlength=BINS)])


def no_counts() -> np.ndarray:
    """Return counts of zero, to add to."""
    return np.zeros((2, BINS), dtype=np.int64)


def coarse_groups(counts: np.ndarray, groups: int) -> np.ndarray:
    """First ordinals of about `groups` runs of ordinals that hold equally many lesion voxels, for bootstrapping."""
    lesion = np.cumsum(counts[1])
    wanted = np.linspace(0, lesion[-1], groups + 1)[:-1]
    return np.unique(np.append(0, np.searchsorted(lesion, wanted, side="right")))


@dataclass(frozen=True)
class Tally:
    """Counts of one sample without the ordinals that no voxel has: a hundredth of the size, and every metric the same.

    Attributes:
        occupied: (n,) int64, ordinals that occur, ascending.
        counts: (2, n) int64, voxels of each: row 0 healthy tissue, row 1 lesion.
    """

    occupied: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, counts: np.ndarray) -> Self:
        """Return the tally of counts (2, BINS)."""
        occupied = np.flatnonzero(counts.any(axis=0))
        return cls(occupied, counts[:, occupied])

    def add_to(self, counts: np.ndarray) -> None:
        """Add to counts (2, BINS)."""
        counts[:, self.occupied] += self.counts

    def ordinal(self, entry: int) -> int:
        """Return the threshold behind an entry of a curve over the occupied ordinals; entry 0 takes every voxel."""
        return int(self.occupied[entry - 1]) if entry else -1

    def spread(self, curve: np.ndarray) -> np.ndarray:
        """Return a curve (n + 1,) over the occupied ordinals at every threshold from −1 on, (BINS + 1,)."""
        return np.repeat(curve, np.diff(self.occupied, prepend=-1, append=BINS))
