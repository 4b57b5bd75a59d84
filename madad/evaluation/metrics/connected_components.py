"""Connected components of a binary volume, with a fast path for few voxels."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)
# Below this many voxels it is quicker to follow neighbours than to sweep the volume.
FEW = 8000
# One of every pair of opposite neighbours.
_STEPS = np.array([step for step in itertools.product((-1, 0, 1), repeat=3) if step > (0, 0, 0)])


class Components(NamedTuple):
    """The 26-connected components of a binary volume.

    Attributes:
        places: (V,) flat indices of its True voxels, ascending.
        members: (V,) int32, the component 0 … number − 1 of each.
        number: of components.
    """

    places: np.ndarray
    members: np.ndarray
    number: int

    def at_least(self, voxels: int) -> np.ndarray:
        """Return which components, (number,) bool, have at least this many voxels."""
        return np.bincount(self.members, minlength=self.number) >= voxels


def components(mask: np.ndarray) -> Components:
    """Find the components of a volume (S, H, W) bool."""
    places = np.flatnonzero(mask)
    if places.size >= FEW:
        labels, number = ndimage.label(mask, NEIGHBOURS)
        return Components(places, labels.ravel()[places] - 1, number)
    if not places.size:
        return Components(places, np.zeros(0, dtype=np.int32), 0)
    return Components(places, *_followed(places, mask.shape))


def _followed(places: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """Return the components of the voxels at flat `places`, by the graph of their neighbours."""
    wide = tuple(size + 2 for size in shape)  # a margin, so that no step leaves the volume
    strides = np.array([wide[1] * wide[2], wide[2], 1])
    places = (np.stack(np.unravel_index(places, shape), axis=1) + 1) @ strides
    number_at = np.full(np.prod(wide), -1, dtype=np.int32)
    number_at[places] = np.arange(places.size, dtype=np.int32)
    near = number_at[places[:, None] + _STEPS @ strides]
    there = near >= 0
    ends = np.zeros(places.size + 1, dtype=np.int32)
    np.cumsum(there.sum(axis=1), out=ends[1:])
    graph = csr_array((np.ones(ends[-1]), near[there], ends), shape=(places.size, places.size))
    number, labels = connected_components(graph, directed=False)
    return labels, int(number)
