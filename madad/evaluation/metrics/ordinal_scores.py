"""Anomaly scores as integers in the same order, so that counting replaces sorting.

Each score becomes an ordinal 0 … 65,535 that grows with it, by a code: the list of scores that `madad.core.score_levels` made
of the maps. The counts of lesion and healthy voxels per ordinal then give every ranking metric, for one subject or for
thousands; exactly, where no two different scores share an ordinal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numba
import numpy as np

BINS = 1 << 16
ZERO = 1 << 15  # the ordinal of the score 0 in every code


@dataclass(frozen=True)
class ScoreCode:
    """Which ordinal stands for which score.

    Attributes:
        levels: (n,) ascending scores with 0, at most 32,767 on either side of it. A score between two of them has the ordinal of
            the upper one, one above all of them that of the highest.
    """

    levels: np.ndarray

    @cached_property
    def first(self) -> int:
        """Ordinal of the lowest level."""
        return ZERO - int(np.searchsorted(self.levels, 0))

    @cached_property
    def searched(self) -> np.ndarray:
        """The levels as float32, among which scores are looked for."""
        return self.levels.astype(np.float32)

    @cached_property
    def starts(self) -> np.ndarray:
        """Where to look for a score: the number of levels below every prefix of `_prefixes`, (65537,) int64."""
        return np.searchsorted(_prefixes(self.searched), np.arange(BINS + 1))

    @cached_property
    def of_halves(self) -> np.ndarray:
        """The ordinal of every float16 by its bits, (65536,) uint16; of those that are not finite any."""
        return _search(np.where(np.isfinite(_HALVES), _HALVES, np.float16(0)).astype(np.float32), self)


_HALVES = np.arange(BINS, dtype=np.uint16).view(np.float16)
# The code of scores that are float16: each of these has an ordinal of its own.
HALF = ScoreCode(np.unique(_HALVES[np.isfinite(_HALVES)] + np.float16(0)))


def to_ordinals(scores: np.ndarray, code: ScoreCode = HALF) -> np.ndarray:
    """Return the ordinals (uint16) of finite scores of any shape; −0 and +0 are one score."""
    exact = np.ascontiguousarray(scores, dtype=code.levels.dtype)
    if exact.dtype == np.float16:
        return code.of_halves[exact.view(np.uint16)]
    return _search(exact.astype(np.float32).ravel(), code).reshape(scores.shape)


def _search(scores: np.ndarray, code: ScoreCode) -> np.ndarray:
    """Look up scores (V,) float32 among the levels."""
    places = _places(scores, _prefixes(scores), code.searched, code.starts)
    return (np.minimum(places, code.levels.size - 1) + code.first).astype(np.uint16)


def _prefixes(scores: np.ndarray) -> np.ndarray:
    """Return the upper 16 bits of float32 scores as integers in the same order, uint16; −0 and +0 have one."""
    bits = (scores + np.float32(0)).view(np.uint32)
    return (np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)) >> 16).astype(np.uint16)


@numba.njit(cache=True)
def _places(scores: np.ndarray, prefixes: np.ndarray, levels: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return `np.searchsorted(levels, scores)`, each looked for among the few levels with its prefix alone."""
    places = np.empty(scores.size, dtype=np.int64)
    for index in range(scores.size):
        low, high = starts[prefixes[index]], starts[np.int64(prefixes[index]) + 1]
        while low < high:
            middle = (low + high) // 2
            if levels[middle] < scores[index]:
                low = middle + 1
            else:
                high = middle
        places[index] = low
    return places


def to_scores(ordinals: np.ndarray, code: ScoreCode = HALF) -> np.ndarray:
    """Return the scores (float32) of ordinals of any shape; an ordinal that stands for none gives the nearest level."""
    return code.searched[(ordinals.astype(np.int64) - code.first).clip(0, code.levels.size - 1)]


def to_score(ordinal: int, code: ScoreCode = HALF) -> float:
    """Return the score of one ordinal; one below every level, such as −1, gives −inf."""
    return -np.inf if ordinal < code.first else float(to_scores(np.array([ordinal]), code)[0])


def ordinal_at(score: float, code: ScoreCode = HALF) -> int:
    """Return the highest ordinal whose score is not above a number, so that "ordinal > it" means "score > number"."""
    return int(np.searchsorted(code.searched, np.float64(score), side="right")) - 1 + code.first


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
