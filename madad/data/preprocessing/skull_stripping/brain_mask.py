"""Brain masks of whole heads by the template or by a balloon, and checks of any brain mask."""

from __future__ import annotations

from pathlib import Path

import ants
import numpy as np
from scipy import ndimage

from madad.core.errors import SubjectError
from madad.core.io.volumes import Volume
from madad.data import background
from madad.data.preprocessing.skull_stripping import bet, head_model
from madad.data.preprocessing.steps import ants_images, morphology, orientation, registration
from madad.data.template import native_template, template_on_grid

# The stiffness of the package's balloon is in voxels and designed for about this size.
BET_GRID_MM = 2.0
# Finer grids and more steps take longer and pull the mask's border into the sulci, which belong inside the mask.
WARP_GRID_MM = 5.0
WARP_ITERATIONS = (30, 15)
WARP_REACH_MM = 12.0
# Smoothing of the whole deformation (voxels), a compromise: without it the border jumps over thin skull to the scalp in T2w, and
# at 1 small brains in large skulls are not reached (Dice 0.91 instead of 0.97 on one head, 0.95 at 0.5).
WARP_STIFFNESS = 0.5
# Protrusions and islands thinner than twice this are nerves, vessels and marrow.
OPENING_MM = 4.0
# Skull within the mask: darker than this part of the brain's median, at most this deep below the mask's surface.
SKULL_DARKNESS = 0.3
SKULL_DEPTH_MM = 6.0
# Sulci that were opened together with the skull are filled again.
CLOSING_MM = 4.0
# For a small brain in a wide skull the head model is placed too large, the mask reaches beyond the skull into the orbits, and
# trimming removes much of it. Of ordinary heads 0.98 to 0.99 is left (12 of IXI), of the one such brain among them 0.79.
LEAST_LEFT = 0.9
# Plausible volumes of a brain mask (ml).
PLAUSIBLE_ML = (300.0, 3500.0)
ADVICE = (
    "look at the image; if it is already stripped set skull_strip to none, if you have a brain mask put it into the "
    "derivatives and set skull_strip to given"
)


def strip(head: Volume, way: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the brain mask, bool (I, J, K), of a bias-corrected whole head, and a first guess of its matrix to the template.

    Args:
        head: the image.
        way: one of `WAYS`. Both start where a head model finds the brain. `template` transforms the template's mask by a
            symmetric diffeomorphism (SyN, Avants et al. 2008, doi:10.1016/j.media.2007.06.004); `bet` grows a balloon
            (Smith 2002, doi:10.1002/hbm.10062).
    """
    start = head_model.locate(head)
    found = WAYS[way](head, start)
    mask = _trimmed(found, head)
    if way == "template" and mask.sum() < LEAST_LEFT * found.sum():
        # The head model was placed too large: repeat with the brain that was left.
        start = _closer(head, mask, start)
        mask = _trimmed(WAYS[way](head, start), head)
    return mask, start


def _closer(head: Volume, mask: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the matrix from template to image points that fits the brain, beginning with `start`, which fits the head."""
    brain = head.with_array(np.where(mask, head.array, 0).astype(np.float32))
    coarse = orientation.isotropic(brain, max(registration.GRID_MM, *brain.spacing_mm))
    return registration.register(coarse, template_on_grid(registration.GRID_MM), "affine", start)


def check_volume(mask: np.ndarray, grid: Volume) -> None:
    """Refuse a mask that cannot hold a brain; of a single slice, an empty one.

    Raises:
        SubjectError: the mask is far too small or too large.
    """
    if mask.shape[2] == 1 and mask.any():
        return
    volume_ml = float(mask.sum()) * grid.voxel_ml
    if not PLAUSIBLE_ML[0] < volume_ml < PLAUSIBLE_ML[1]:
        raise SubjectError(f"no brain was found: the mask holds {volume_ml:.0f} ml; {ADVICE}")


def _trimmed(mask: np.ndarray, head: Volume) -> np.ndarray:
    """Return the mask without skull, nerves and vessels along its border."""
    voxel_mm = min(head.spacing_mm)
    first = morphology.opened(mask, OPENING_MM / voxel_mm)
    peeled = morphology.peeled(first, head.array, SKULL_DARKNESS, SKULL_DEPTH_MM / voxel_mm)
    shaped = morphology.closed(morphology.opened(peeled, OPENING_MM / voxel_mm), CLOSING_MM / voxel_mm)
    return morphology.clean(shaped & first)


def nonzero(volume: Volume) -> np.ndarray:
    """Return the mask, bool (I, J, K), of a stripped image: the voxels that differ from the background.

    A scaled header turns a background of 0 into one that is 0 up to rounding.
    """
    return morphology.clean(background.differs(volume, background.level(volume)))


def onto(volume: Volume, grid: Volume) -> np.ndarray:
    """Resample a mask's fractions linearly to another grid, float32."""
    to_index = np.linalg.inv(volume.affine) @ grid.affine
    return ndimage.affine_transform(volume.array, to_index[:3, :3], to_index[:3, 3], grid.array.shape, order=1)


def _template_mask(matrix: np.ndarray, grid: Volume) -> np.ndarray:
    """Return the fractions of the template's brain on the grid of an image, float32."""
    brain = native_template().brain
    return onto(Volume(brain.array.astype(np.float32), matrix @ brain.affine), grid)


def _balloon_mask(head: Volume, start: np.ndarray) -> np.ndarray:
    """Return BET's mask on the grid of an image, from a balloon that starts within the template's brain."""
    working = orientation.isotropic(head, BET_GRID_MM)
    mask = bet.inflate(working, _template_mask(start, working) > 0.5)
    return onto(working.with_array(mask.astype(np.float32)), head) > 0.5


def _warped_mask(head: Volume, start: np.ndarray) -> np.ndarray:
    """Return the template's mask on the grid of an image, by a deformation of the head model that begins with `start`."""
    fixed, mask = head_model.head_model(WARP_GRID_MM, WARP_REACH_MM).for_ants()
    working = head_model.clipped(orientation.isotropic(head, WARP_GRID_MM))
    with ants_images.scratch() as prefix:
        affine = str(registration.write_transform(Path(f"{prefix}start.txt"), start))
        back = ants.registration(
            fixed,
            ants_images.to_ants(working),
            type_of_transform="SyNOnly",
            initial_transform=[affine],
            outprefix=prefix,
            mask=mask,
            reg_iterations=WARP_ITERATIONS,
            total_sigma=WARP_STIFFNESS,
        )["invtransforms"]
        inverted = [True] + [False] * (len(back) - 1)
        carried = ants.apply_transforms(
            ants_images.to_ants(head), ants_images.to_ants(native_template().brain), back, whichtoinvert=inverted
        )
    return carried.numpy() > 0.5


# Strategies that find the brain of a whole head.
WAYS = {"template": _warped_mask, "bet": _balloon_mask}
