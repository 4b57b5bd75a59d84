"""A first brain mask without any trained weights: a balloon that grows until it meets the dark rim around the brain.

Smith 2002, doi:10.1002/hbm.10062, by the package `brainextractor`.
"""

from __future__ import annotations

import contextlib
import io

import nibabel as nib
import numpy as np
from scipy import ndimage

from madad.errors import SubjectError
from madad.volumes import Volume

# The balloon moves in voxels: on this grid it arrives in fewer steps than on the image's own.
GRID_MM = 3.0
STEPS = 400
FRACTIONAL_THRESHOLD = 0.5
# The package reads along rays without looking at the bounds of the array; longer than its longest ray (20 mm) and a bulge.
MARGIN_MM = 60.0
# Smaller or larger than any head with a brain in it (ml).
PLAUSIBLE_ML = (300.0, 3500.0)


def brain_mask(head: Volume) -> np.ndarray:
    """Mask (I, J, K) bool of a head on an isotropic grid.

    Raises:
        SubjectError: the balloon collapsed or burst.
    """
    from brainextractor import BrainExtractor  # compiles on import

    margin = int(np.ceil(MARGIN_MM / head.spacing_mm[0]))
    padded = np.pad(head.array.astype(np.float32), margin)
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        try:
            extractor = BrainExtractor(nib.Nifti1Image(padded, np.diag([*head.spacing_mm, 1.0])), bt=FRACTIONAL_THRESHOLD)
            extractor.run(iterations=STEPS)
            mask = extractor.compute_mask() > 0
        except (ValueError, IndexError, ZeroDivisionError, FloatingPointError) as error:
            raise SubjectError(f"the brain was not found (BET: {error}); {ADVICE}") from None
    mask = ndimage.binary_fill_holes(mask)[(slice(margin, -margin),) * 3]
    volume_ml = float(mask.sum()) * head.voxel_ml
    if not PLAUSIBLE_ML[0] < volume_ml < PLAUSIBLE_ML[1]:
        raise SubjectError(f"the brain was not found (BET: {volume_ml:.0f} ml); {ADVICE}")
    return mask


ADVICE = (
    "look at the image; if it is already stripped set skull_strip to none, if you have a mask put it into the derivatives "
    "and set skull_strip to given"
)
