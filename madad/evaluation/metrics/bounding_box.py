"""The box around the voxels of a mask, so that computations can skip the rest of the volume."""

from __future__ import annotations

import numpy as np


def bounding_box(mask: np.ndarray, margin: int = 0) -> tuple[slice, ...]:
    """Return the box around the True voxels of a bool mask, with a margin in voxels where the image has them.

    The box is empty when the mask is.
    """
    box, rest = [], mask
    for _ in range(mask.ndim):
        taken = np.flatnonzero(rest.any(axis=tuple(range(1, rest.ndim))))
        if not taken.size:
            return (slice(0, 0),) * mask.ndim
        first, last = int(taken[0]), int(taken[-1])
        box.append(slice(max(0, first - margin), last + 1 + margin))
        # what is left of the other axes
        rest = np.asarray(rest[first : last + 1].any(axis=0))
    return tuple(box)
