"""How much a lesion differs from the tissue around it, for any lesion with a reference mask.

Of an implanted lesion the healthy image is known, and its table holds the exact change (`madad.data.anomalies.insertion`).
Of a real one the tissue around it stands in for what it replaced: a difference of the means of lesion and surroundings, as in the
lesion-to-tissue contrast of radiology; the median of the surroundings, because fluid and vessels lie there too.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from madad.core.shapes import Vector3
from madad.evaluation.metrics.bounding_box import bounding_box

# The surroundings: beyond the rim, which is partly lesion, and near enough to be of the same kind.
NEAREST_MM, FARTHEST_MM = 2.0, 8.0
# With fewer voxels around it a lesion has no contrast.
FEWEST = 10


def lesion_contrast(
    image: np.ndarray, lesion: np.ndarray, brain: np.ndarray, spacing_mm: Vector3, lesions: np.ndarray | None = None
) -> float:
    """Return the mean of a lesion minus the median of the brain 2 to 8 mm around it, in units of the image.

    Positive for a bright lesion; NaN for a lesion without a voxel in the brain or with fewer than ten voxels of tissue around it.

    Args:
        image: (S, H, W), as methods see it (`madad.core.intensity_scale.seen`).
        lesion: (S, H, W) bool, one lesion or several as one.
        brain: (S, H, W) bool.
        spacing_mm: edges of a voxel along (S, H, W).
        lesions: (S, H, W) bool, all lesions of the image, which are no healthy surroundings; by default the lesion alone.
    """
    margin = int(np.ceil(FARTHEST_MM / min(spacing_mm))) + 1
    box = bounding_box(lesion & brain, margin)
    image, own, inside, ill = (array[box] for array in (image, lesion, brain, lesion if lesions is None else lesions))
    if not own.any():
        return np.nan
    away = ndimage.distance_transform_edt(~own, sampling=spacing_mm)
    around = inside & ~ill & (away > NEAREST_MM) & (away <= FARTHEST_MM)
    if np.count_nonzero(around) < FEWEST:
        return np.nan
    return float(image[own & inside].mean() - np.median(image[around]))
