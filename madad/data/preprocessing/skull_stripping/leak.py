"""A brain mask that contains the scalp: its border lies at the surface of the head instead of well below it.

Such a mask has the shape of a brain, and registration scales it to the size of one: neither the overlap with the template nor the
volume after the transform shows the leak. What differs is what lies outside the border: skull and scalp, or air.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from madad.core.io.volumes import Volume

# Skull and scalp lie within this distance outside the brain (mm), beyond the partial volume of the border.
OUTSIDE_MM = (2.0, 18.0)
# Air is darker than this part of the brain's median; fat and muscle are brighter in every usual sequence.
AIR = 0.25
# With less than this part of the brain's volume in bright tissue more than BESIDE_MM from the mask, an image shows no head.
LEAST_HEAD = 0.01
BESIDE_MM = 4.0


def scalp_share(head: Volume, brain: np.ndarray) -> float | None:
    """Return the part of a brain mask's border that has nothing but air above it, 0 to 1.

    Every voxel near the mask belongs to the voxel of the border that is nearest; a place of the border has air above it if the
    brightest of its voxels is dark. Only the half of the border above the mask's centre is examined: below it are face, ears
    and neck. Places near the edge of the image are left out.

    Args:
        head: isotropic whole head, RAS+.
        brain: its brain mask, bool (I, J, K).

    Returns:
        None if the image ends at the mask everywhere. In a stripped image it is 1, see `shows_head`.
    """
    tissue = float(np.median(head.array[brain]))
    spacing_mm = min(head.spacing_mm)
    margin = int(np.ceil(OUTSIDE_MM[1] / spacing_mm))
    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    near = tuple(slice(max(0, side.start - margin), side.stop + margin) for side in box)
    array, mask = head.array[near], brain[near]
    distance, nearest = ndimage.distance_transform_edt(~mask, head.spacing_mm, return_indices=True)
    rim = (distance >= OUTSIDE_MM[0]) & (distance <= OUTSIDE_MM[1])
    rim[:, :, : round(ndimage.center_of_mass(mask)[2])] = False
    if not rim.any():
        return None
    place = np.ravel_multi_index(tuple(axis[rim] for axis in nearest), mask.shape)
    brightest, farthest = (np.zeros(mask.size, dtype=np.float32) for _ in range(2))
    np.maximum.at(brightest, place, array[rim])
    np.maximum.at(farthest, place, distance[rim].astype(np.float32))
    examined = farthest > OUTSIDE_MM[1] - 2 * spacing_mm
    if not examined.any():
        return None
    return float((brightest[examined] < AIR * tissue).mean())


def shows_head(head: Volume, brain: np.ndarray) -> bool:
    """Return whether an image shows more than the brain: a stripped one has nothing around the mask that came with it.

    Args:
        head: image on an isotropic grid.
        brain: brain mask, bool (I, J, K).
    """
    beside = ~ndimage.binary_dilation(brain, iterations=max(1, round(BESIDE_MM / min(head.spacing_mm))))
    bright = head.array[beside] > AIR * float(np.median(head.array[brain]))
    return int(np.count_nonzero(bright)) >= LEAST_HEAD * int(brain.sum())
