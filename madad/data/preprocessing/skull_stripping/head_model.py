"""Location of the brain in a whole head, by aligning a head model that is built around the template.

The template shows only a brain. Aligned to a whole head it would settle on the skull or slide down the neck; with rims of
cerebrospinal fluid, skull and scalp around it, and air outside, only one position fits. The rims are compared only above the
skull base, since face and neck differ too much.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import ants
import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import ants_images, bias_field, morphology, mutual_information, orientation, registration
from madad.data.template import native_template

# Outer edge of each rim (mm from the brain) and its T1w brightness relative to white matter.
RIMS = ((4.0, 0.2), (10.0, 0.1), (16.0, 0.7))
# Air is compared up to this distance from the brain (mm); a search needs more of it than a fit that begins nearby …
AIR_MM = 26.0
# … and rims and air only above this height (MNI z, mm), but the nearest rim everywhere.
SKULL_BASE_MM = -20.0

SEARCH_GRID_MM = 5.0
FIT_GRID_MM = 3.0
# Values of the search: size relative to the template, pitch (degrees), and shifts (mm) of a first guess backwards and upwards.
SIZES = (0.84, 0.9, 0.96, 1.02)
PITCHES = (-20, -10, 0, 10, 20)
SHIFTS_BACK = (-10, 10)
SHIFTS_UP = (-15, 0, 15)
# Height of the part of a head that contains the brain, measured from the crown (mm).
CROWN_TO_BASE_MM = 150.0
BINS = 16
# Intensities above this many times the median of the head are clipped.
BRIGHTEST = 2.5

STAGES = (
    ("Rigid", {"aff_iterations": (100, 50), "aff_shrink_factors": (3, 2), "aff_smoothing_sigmas": (2, 1)}),
    ("Affine", {"aff_iterations": (100, 100), "aff_shrink_factors": (3, 2), "aff_smoothing_sigmas": (2, 1)}),
)


@dataclass(frozen=True)
class HeadModel:
    """The template's brain with rims around it.

    Attributes:
        image: T1w-like intensities in [0, 1], (I, J, K).
        compared: bool (I, J, K), where the model is like heads in general.
        centre: centre of mass in RAS+ mm.
    """

    image: Volume
    compared: np.ndarray
    centre: np.ndarray

    def for_ants(self) -> tuple[ants.ANTsImage, ants.ANTsImage]:
        """Return the image and the mask of comparison as ANTs images."""
        return ants_images.to_ants(self.image), ants_images.to_ants(self.image.with_array(self.compared.astype(np.float32)))


@lru_cache(maxsize=4)
def head_model(spacing_mm: float, reach_mm: float = AIR_MM) -> HeadModel:
    """Return the model on an isotropic grid, compared up to `reach_mm` from the brain."""
    native = native_template()
    margin = int(reach_mm) + 8
    brain = orientation.isotropic(_padded(native.brain, margin), spacing_mm).array
    grid = orientation.isotropic(_padded(native.t1w, margin), spacing_mm)
    distance = ndimage.distance_transform_edt(brain < 0.5) * spacing_mm
    grid = grid.with_array(_with_rims(grid.array, distance))
    height = grid.affine[2, 2] * np.arange(grid.array.shape[2]) + grid.affine[2, 3]
    compared = (distance <= RIMS[0][0]) | ((distance <= reach_mm) & (height > SKULL_BASE_MM))
    box = ndimage.find_objects((distance <= reach_mm + 2 * spacing_mm).astype(int))[0]
    cropped = Volume(grid.array[box], _moved(grid.affine, [side.start for side in box]))
    return HeadModel(cropped, compared[box], _world(cropped, ndimage.center_of_mass(cropped.array > 0.05)))


def _with_rims(image: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Return the brain's intensities, and those of `RIMS` by the distance (mm) from it."""
    result, inner = np.where(distance == 0, image, 0), 0.0
    for outer, brightness in RIMS:
        rim = (distance > inner) & (distance <= outer)
        # The mask ends in the partial volume of the cortex: voxels brighter than the first rim are kept.
        result[rim] = np.maximum(image[rim], brightness) if inner == 0 else brightness
        inner = outer
    return ndimage.gaussian_filter(result, 0.5)


def locate(head: Volume) -> np.ndarray:
    """Return an affine matrix (4, 4) from template to image points in RAS+ mm.

    It is found by exhaustive search over sizes, pitches and shifts by normalised mutual information, then by ANTs.

    Args:
        head: bias-corrected whole head.
    """
    matrix = search(clipped(orientation.isotropic(head, SEARCH_GRID_MM)))
    fixed, mask = head_model(FIT_GRID_MM).for_ants()
    moving = ants_images.to_ants(clipped(orientation.isotropic(head, FIT_GRID_MM)))
    for kind, schedule in STAGES:
        matrix = registration.fit(fixed, moving, kind, schedule, start=matrix, mask=mask)
    registration.check(matrix)
    return matrix


def search(head: Volume) -> np.ndarray:
    """Return the best of a few hundred placements of the model, as a matrix from template to image points."""
    model = head_model(SEARCH_GRID_MM)
    points = np.argwhere(model.compared)
    world = np.c_[points, np.ones(len(points))] @ model.image.affine.T
    levels = _levels(model.image.array[model.compared])
    image = _levels(head.array / max(float(head.array.max()), 1e-6))
    guess, to_index = _crown_centre(head), np.linalg.inv(head.affine)

    def score(matrix: np.ndarray) -> float:
        index = np.rint(world @ (to_index @ matrix).T[:, :3]).astype(int)
        outside = ((index < 0) | (index >= image.shape)).any(axis=1)
        index[outside] = 0
        found = np.where(outside, 0, image[tuple(index.T)])
        joint = np.bincount(levels * BINS + found, minlength=BINS * BINS).reshape(BINS, BINS)
        return mutual_information.mutual_information_of(joint)

    placements = itertools.product(SIZES, PITCHES, SHIFTS_BACK, SHIFTS_UP)
    return max((_placement(model.centre, guess, *placement) for placement in placements), key=score)


def _placement(centre: np.ndarray, guess: np.ndarray, size: float, pitch: float, back: float, up: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = size * Rotation.from_euler("x", pitch, degrees=True).as_matrix()
    matrix[:3, 3] = guess + np.array([0.0, back, up]) - matrix[:3, :3] @ centre
    return matrix


def _crown_centre(head: Volume) -> np.ndarray:
    """Return the centre of mass (RAS+ mm) of the head above the neck."""
    inside = morphology.largest(ndimage.binary_opening(bias_field.foreground(head.array), iterations=2))
    if not inside.any():
        inside = head.array > 0
    crown = int(np.flatnonzero(inside.any(axis=(0, 1)))[-1])
    inside[:, :, : max(0, crown - int(CROWN_TO_BASE_MM / head.spacing_mm[2]))] = False
    return _world(head, ndimage.center_of_mass(inside))


def clipped(volume: Volume) -> Volume:
    """Clip the brightest voxels: fat, eyes and vessels would leave only a few bins of the histogram for the brain."""
    tissue = np.median(volume.array[bias_field.foreground(volume.array)])
    return volume.with_array(np.clip(volume.array, 0, min(np.percentile(volume.array, 99.5), BRIGHTEST * tissue)))


def _levels(array: np.ndarray) -> np.ndarray:
    return np.clip((array * BINS).astype(int), 0, BINS - 1)


def _world(volume: Volume, index: tuple[float, ...]) -> np.ndarray:
    return (volume.affine @ np.append(np.asarray(index, dtype=float), 1.0))[:3]


def _padded(volume: Volume, margin: int) -> Volume:
    return Volume(np.pad(volume.array.astype(np.float32), margin), _moved(volume.affine, [-margin] * 3))


def _moved(affine: np.ndarray, first: list[int]) -> np.ndarray:
    """Return the affine of a grid that begins at another voxel."""
    moved = affine.copy()
    moved[:3, 3] = (affine @ np.append(first, 1.0))[:3]
    return moved
