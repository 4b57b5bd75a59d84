"""The scores that occur in maps, thinned to so many that 16 bits name each: what lets ranks survive at any scale of scores.

Counting needs integers. A list of scores from the maps themselves, ascending, gives every score the place of the first listed
one that is not below it, so that order is kept whatever the scale or the sign; two scores share a place only where no listed
one lies between them. Up to `CAPACITY` different scores of a sign are all listed, and nothing is lost. Of more, half of the
list holds equally many voxels between neighbours, and the other half is even in the logarithm of the number of voxels above,
so that the highest scores, where lesions are, lie closest.
"""

from __future__ import annotations

import numpy as np

# Scores above 0, and scores below: with 0 itself 65,535 places, which 16 bits can name.
CAPACITY = (1 << 15) - 1


class ScoreLevels:
    """A list of scores that grows map by map, and never holds more than twice as many as it may."""

    def __init__(self) -> None:
        self._sides = {False: _Side(), True: _Side()}

    def add(self, scores: np.ndarray) -> None:
        """Take in finite scores of any shape; 0, which is always listed, is passed over."""
        flat = scores.astype(np.float32).ravel()
        for below, side in self._sides.items():
            side.add(flat[flat < 0] if below else flat[flat > 0])

    def listed(self) -> np.ndarray:
        """Return the list, (n,) float32, ascending; 0 is in it."""
        below, above = (self._sides[key].thinned() for key in (True, False))
        return np.concatenate([below, np.zeros(1, dtype=np.float32), above])


def joined(lists: list[np.ndarray], kept: np.ndarray) -> np.ndarray:
    """Return several lists as one, thinned evenly where it is too long for 16 bits.

    Args:
        lists: (n,) float32 each, of `ScoreLevels.listed`.
        kept: scores that must be listed, such as given thresholds.
    """
    every = np.unique(np.concatenate([np.zeros(1, dtype=np.float32), kept.astype(np.float32), *lists]))
    below, above = (_every_other(every[side], kept) for side in (every < 0, every > 0))
    return np.concatenate([below, np.zeros(1, dtype=np.float32), above])


def _every_other(scores: np.ndarray, kept: np.ndarray) -> np.ndarray:
    while scores.size > CAPACITY:
        stays = np.isin(scores, kept.astype(np.float32))
        stays[::-2] = True  # the highest among them
        scores = scores[stays]
    return scores


class _Side:
    """Scores of one sign with the number of voxels of each."""

    def __init__(self) -> None:
        self._scores, self._voxels = np.zeros(0, dtype=np.float32), np.zeros(0)

    def add(self, scores: np.ndarray) -> None:
        new, voxels = np.unique(scores, return_counts=True)
        merged, places = np.unique(np.concatenate([self._scores, new]), return_inverse=True)
        self._voxels = np.bincount(places, weights=np.concatenate([self._voxels, voxels]), minlength=merged.size)
        self._scores = merged
        if merged.size > 2 * CAPACITY:
            self._thin(2 * CAPACITY)

    def thinned(self) -> np.ndarray:
        if self._scores.size > CAPACITY:
            self._thin(CAPACITY)
        return self._scores

    def _thin(self, number: int) -> None:
        reached = np.cumsum(self._voxels)
        even = np.linspace(0, reached[-1], number // 2)
        steep = reached[-1] - np.geomspace(self._voxels[-1], reached[-1], number // 2 - 1)
        stays = np.zeros(self._scores.size, dtype=bool)
        stays[np.searchsorted(reached, np.concatenate([even, steep]).clip(0, reached[-1])).clip(max=stays.size - 1)] = True
        stays[-1] = True
        # what is dropped counts with the next score that stays
        groups = np.searchsorted(np.flatnonzero(stays), np.arange(stays.size))
        self._voxels = np.bincount(groups, weights=self._voxels)
        self._scores = self._scores[stays]
