"""A brain mask without trained weights: a balloon that grows until it reaches the dark rim around the brain.

Smith 2002, doi:10.1002/hbm.10062, by the package `brainextractor`. By default its balloon leaks into neck and sinuses and needs
a thousand steps; here it starts from a first mask, which also gives its thresholds.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
from scipy import ndimage

from madad.core.errors import SubjectError
from madad.core.io.volumes import Volume

if TYPE_CHECKING:
    from brainextractor import BrainExtractor

STEPS = 150
FRACTIONAL_THRESHOLD = 0.5
# The balloon starts with this part of the first mask's radius …
START = 0.9
# … takes the darkest and brightest 2 % of all voxels within this distance of the first mask …
RIM_MM = 5.0
# … and cannot move farther than this from it.
REACH_MM = 8.0
# The package reads along rays without checking the bounds of the array: twice the length of its longest ray (20 mm).
MARGIN_MM = 40.0


def inflate(head: Volume, first: np.ndarray) -> np.ndarray:
    """Return the brain mask, bool (I, J, K), of a head on an isotropic grid.

    Args:
        head: intensities.
        first: approximate brain mask, bool (I, J, K).

    Raises:
        SubjectError: the balloon collapsed or burst.
    """
    from brainextractor import BrainExtractor  # compiles on import

    spacing_mm = head.spacing_mm[0]
    margin = int(np.ceil(MARGIN_MM / spacing_mm))
    distance = ndimage.distance_transform_edt(~first) * spacing_mm
    padded = np.pad(np.where(distance <= REACH_MM, head.array, 0).astype(np.float32), margin)
    try:
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            balloon = BrainExtractor(nib.Nifti1Image(padded, np.diag([*head.spacing_mm, 1.0])), bt=FRACTIONAL_THRESHOLD)
            _set_thresholds(balloon, head.array[distance <= RIM_MM], head.array[first])
            balloon.vertices = _start(np.pad(first, margin), balloon.vertices)
            balloon.update_surface_attributes()
            balloon.run(iterations=STEPS)
            mask = balloon.compute_mask() > 0
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise SubjectError(f"the balloon of BET burst ({error}); the image has too little contrast around the brain") from None
    return ndimage.binary_fill_holes(mask)[(slice(margin, -margin),) * 3]


def _set_thresholds(balloon: BrainExtractor, around: np.ndarray, inside: np.ndarray) -> None:
    """Set the thresholds of Smith 2002, section 2.1, by the brain and its rim instead of the whole head."""
    balloon.t2, balloon.t98 = (np.float64(value) for value in np.percentile(around, (2, 98)))
    balloon.t = balloon.t2 + 0.1 * (balloon.t98 - balloon.t2)
    balloon.tm = np.float64(np.median(inside))


def _start(first: np.ndarray, sphere: np.ndarray) -> np.ndarray:
    """Move the vertices (V, 3) of the sphere along their radii to the first mask's surface, then inwards."""
    centre = np.array(ndimage.center_of_mass(first))
    directions = sphere - sphere.mean(axis=0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radii = np.arange(0, max(first.shape), 0.5)
    index = np.rint(centre + directions[:, None, :] * radii[None, :, None]).astype(int)
    outside = ((index < 0) | (index >= first.shape)).any(axis=-1)
    index[outside] = 0
    inside = first[tuple(np.moveaxis(index, -1, 0))] & ~outside
    farthest = radii[len(radii) - 1 - np.argmax(inside[:, ::-1], axis=1)]
    return np.ascontiguousarray(centre + directions * (START * farthest)[:, None])
