"""The scale of a pack's intensities, and the part of it that methods see.

On the scale of a pack 0 and 1 are the ends of the normal range: by default the 1st and 99th percentile of the brain. A pack
keeps what is above 1, so that a bright lesion keeps its contrast; below 0 there is nothing, because the background is 0. Networks
and all that is measured on their images get the part from 0 to 1, as in the papers, whose preprocessing cuts there.
"""

from __future__ import annotations

import numpy as np

LOWEST, HIGHEST = 0.0, 1.0


def seen(image: np.ndarray) -> np.ndarray:
    """Return an image of any shape as methods see it, cut to [0, 1]."""
    return np.clip(image, LOWEST, HIGHEST)


def saturated(image: np.ndarray, where: np.ndarray) -> float:
    """Return the share of the voxels at `where` (bool) that lie at an end of what methods see; NaN for none."""
    values = image[where]
    return float(((values <= LOWEST) | (values >= HIGHEST)).mean()) if values.size else float("nan")
