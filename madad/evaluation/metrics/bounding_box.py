"""The box around the voxels of a mask, so that computations can skip the rest of the volume."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def bounding_box(mask: np.ndarray, margin: int = 0) -> tuple[slice, ...]:
    """Return the box around the True voxels of a bool mask, with a margin in voxels where the image has them.

    The box is empty when the mask is.
    """
    if not mask.any():
        return (slice(0, 0),) * mask.ndim
    box = ndimage.find_objects(mask.view(np.uint8))
    return tuple(slice(max(0, side.start - margin), side.stop + margin) for side in box[0])
