"""Connected components of a binary volume, by joining every voxel with the neighbours before it (union–find).

Source: Tarjan 1975 (doi:10.1145/321879.321884). Only the True voxels are visited, so that a prediction of few voxels, of which an
evaluation has hundreds, takes little time.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numba
import numpy as np

_NONE = -1
# Of every pair of opposite neighbours the one that comes first.
_BEFORE = np.array([step for step in itertools.product((-1, 0, 1), repeat=3) if step < (0, 0, 0)])


class Components(NamedTuple):
    """The 26-connected components of a binary volume.

    Attributes:
        places: (V,) flat indices of its True voxels, ascending.
        members: (V,) int32, the component 0 … number − 1 of each, numbered by their first voxels.
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
    inner, strides, voxels = with_margin(places, mask.shape)
    members, number = _joined(inner, np.full(voxels, _NONE, dtype=np.int32), _BEFORE @ strides)
    return Components(places, members, number)


def with_margin(places: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, int]:
    """Place voxels in a volume that is one voxel wider on every side, so that no step to a neighbour leaves it.

    Args:
        places: (V,) flat indices in a volume of this shape.
        shape: slices, rows and columns.

    Returns:
        Flat indices (V,) in the wider volume, its strides (3,) in voxels, and how many voxels it has.
    """
    _, rows, columns = wide = tuple(size + 2 for size in shape)
    strides = np.array([rows * columns, columns, 1])
    return np.stack(np.unravel_index(places, shape), axis=1) @ strides + strides.sum(), strides, int(np.prod(wide))


@numba.njit(cache=True)
def _joined(places: np.ndarray, number_at: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the component of every place and how many there are.

    Args:
        places: (V,) flat indices, ascending, of a volume whose border is empty.
        number_at: of that volume, `_NONE` everywhere; the number of every place is written into it.
        before: (13,) steps to the neighbours with lower indices.
    """
    parent = np.empty(places.size, dtype=np.int32)
    for voxel in range(places.size):
        number_at[places[voxel]], parent[voxel] = voxel, voxel
        root = voxel
        for step in before:
            other = number_at[places[voxel] + step]
            if other == _NONE:
                continue
            while parent[other] != other:
                parent[other] = parent[parent[other]]
                other = parent[other]
            # the lower number is the root, which is therefore the first voxel of its component
            first, last = min(root, other), max(root, other)
            parent[last], root = first, first
    number = 0
    for voxel in range(places.size):
        if parent[voxel] == voxel:
            parent[voxel], number = number, number + 1
        else:
            parent[voxel] = parent[parent[voxel]]
    return parent, number
