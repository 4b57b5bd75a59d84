"""Intensities that begin at 0: an image may be stored with its background at a negative value, or with a brain around 0.

Every later step takes 0 for "no signal": the bias field is a factor, stripped images are 0 outside the brain, and an image is 0
outside its field of view. A standard score has no such 0. Its order is kept here, and 0 is given back to the background.
"""

from __future__ import annotations

import numpy as np

from madad.core.io.volumes import Volume

# Values less than this part of the contrast below the background are ringing of an interpolation, and are cut off.
RINGING = 0.05
# A value is the common one of the background if at least this part of the image's faces has it.
COMMON = 0.1
# Percentiles between which the contrast is measured.
OUTER = (0.5, 99.5)
# Values that differ from the background by less than this part of the range are background, up to the rounding of a header.
ROUNDING = 1e-5
# A brain's smallest value stays above the background by this part of its contrast.
LIFT = 0.01


def level(volume: Volume) -> float:
    """Return the value of the background: the commonest one on the faces of the image, or their median if none is common.

    Args:
        volume: (I, J, K) intensities. Axes of a single voxel have no faces.
    """
    faces = _faces(volume.array)
    values, counts = np.unique(faces, return_counts=True)
    return float(values[counts.argmax()] if counts.max() >= COMMON * faces.size else np.median(faces))


def differs(volume: Volume, background: float) -> np.ndarray:
    """Return the voxels, bool (I, J, K), whose value is not that of the background."""
    return np.abs(volume.array - background) > ROUNDING * float(np.ptp(volume.array))


def from_zero(volume: Volume) -> Volume:
    """Return an image without negative values, whose background is 0.

    An image without negative values stays as it is, and a few slightly negative ones (ringing) become 0. If the background is
    negative, all values are raised by its amount. If the background lies among the values of the brain, as in a standard score
    with 0 outside the mask, the brain is raised above it.

    Args:
        volume: (I, J, K) intensities.
    """
    if volume.array.min() >= 0:
        return volume
    background = min(level(volume), 0.0)
    inside = differs(volume, background)
    low, high = np.percentile(volume.array[inside], OUTER)
    if background - low <= RINGING * (high - low):
        return volume.with_array(np.maximum(volume.array - np.float32(background), 0))
    lifted = volume.array - np.float32(volume.array[inside].min() - LIFT * (high - low))
    return volume.with_array(np.where(inside, lifted, 0).astype(np.float32))


def _faces(array: np.ndarray) -> np.ndarray:
    """Return the values on the outer faces of an array; of the axes with several voxels, if there are any."""
    axes = [axis for axis in range(array.ndim) if array.shape[axis] > 1] or range(array.ndim)
    return np.concatenate([np.take(array, (0, -1), axis=axis).ravel() for axis in axes])
