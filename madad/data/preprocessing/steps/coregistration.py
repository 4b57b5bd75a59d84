"""Alignment of the sequences of one session: a rigid map from the reference sequence to another one.

The head has another position in every sequence. The brain is found once, on the reference, and the other sequences are aligned
to it. The result of the optimiser is accepted only if it is a small movement, fits better than the headers of the files do, and
is a clear maximum of the similarity.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from madad.core.errors import SubjectError
from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import ants_images, bias_field, mutual_information, registration

# Distance from the brain (mm) up to which images are compared: the head helps, but jaw, eyes and neck move independently.
RIM_MM = 8.0
SCHEDULE = {"aff_iterations": (100, 100, 50), "aff_shrink_factors": (4, 2, 1), "aff_smoothing_sigmas": (2, 1, 0)}
# Largest movement from the position given by header or centre of mass; beyond it the optimiser has failed.
FARTHEST_MM, STEEPEST_DEGREES = 60.0, 45.0
# Smallest part of the brain that an image must show to be aligned.
LEAST_COVERAGE = 0.4
# If two brains are aligned, mutual information falls when one is shifted by this distance.
PUSH_MM = 12.0
# Part of the mutual information that may remain after the shift; on four pairs of real thick-slice images it was 0.05 to 0.2.
REMAINDER = 0.5
# If headers and centres of mass fail, the head is turned about each axis by these angles.
TURNS_DEGREES = (-25, 0, 25)
# The header is kept unless another position gains this much mutual information: sequences that are aligned stay so.
GAIN = 1.02


@dataclass(frozen=True)
class Alignment:
    """Position of another sequence of the session.

    Attributes:
        matrix: (4, 4), points of the reference to points of the image, RAS+ mm.
        nmi: normalised mutual information of the two within the brain, 1 to 2.
        before: the same by the headers only.
    """

    matrix: np.ndarray
    nmi: float
    before: float


def align(reference: Volume, brain: np.ndarray, image: Volume) -> Alignment:
    """Find the rigid map (6 parameters) from a reference to another image of the same head.

    Mattes mutual information by ANTs, started from the headers or from the centres of mass, whichever fits better, then from
    the other if that fails, and finally from the best of a few turned heads.

    Args:
        reference: bias-corrected head.
        brain: bool mask on its grid.
        image: bias-corrected head on a grid of its own.

    Raises:
        SubjectError: no position was found in which the two fit.
    """
    header = np.eye(4)
    before = similarity(reference, brain, image, header)
    for start in _starts(reference, brain, image):
        found = _fitted(reference, brain, image, start)
        nmi = similarity(reference, brain, image, found)
        if not _plausible(found, start, _centre(reference, brain)):
            found, nmi = start, similarity(reference, brain, image, start)
        if nmi - 1 <= GAIN * (before - 1):
            found, nmi = header, before
        if _is_peak(reference, brain, image, found, nmi):
            return Alignment(found, nmi, before)
    raise SubjectError("no position was found in which the brains of the two images fit; check that both show the same head")


def similarity(reference: Volume, brain: np.ndarray, image: Volume, matrix: np.ndarray) -> float:
    """Return normalised mutual information within the part of the brain that the image shows; 1 if that is too small."""
    inside = brain & registration.field_of_view(image, matrix, reference)
    if inside.sum() < LEAST_COVERAGE * brain.sum():
        return 1.0
    steps = registration.index_map(image, matrix, reference)
    carried = ndimage.affine_transform(image.array, *steps, reference.array.shape, order=1, mode="nearest")
    return mutual_information.normalised_mutual_information(reference.array, carried, inside)


def _starts(reference: Volume, brain: np.ndarray, image: Volume) -> Iterator[np.ndarray]:
    def score(matrix: np.ndarray) -> float:
        return similarity(reference, brain, image, matrix)

    centred = _centred(reference, image)
    yield from sorted((np.eye(4), centred), key=score, reverse=True)
    about = np.eye(4)
    about[:3, 3] = _centre(image, bias_field.foreground(image.array))
    turns = [Rotation.from_euler("xyz", angles, degrees=True) for angles in itertools.product(TURNS_DEGREES, repeat=3)]
    yield max((about @ _homogeneous(turn) @ np.linalg.inv(about) @ centred for turn in turns), key=score)


def _homogeneous(turn: Rotation) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = turn.as_matrix()
    return matrix


def _fitted(reference: Volume, brain: np.ndarray, image: Volume, start: np.ndarray) -> np.ndarray:
    near = ndimage.distance_transform_edt(~brain) * min(reference.spacing_mm) <= RIM_MM
    mask = ants_images.to_ants(reference.with_array(near.astype(np.float32)))
    return registration.fit(ants_images.to_ants(reference), ants_images.to_ants(image), "Rigid", SCHEDULE, start=start, mask=mask)


def _plausible(matrix: np.ndarray, start: np.ndarray, centre: np.ndarray) -> bool:
    """Return whether the movement from the start is one that heads make."""
    moved = np.linalg.norm(((matrix - start) @ np.append(centre, 1.0))[:3])
    turned = np.degrees(Rotation.from_matrix(matrix[:3, :3] @ start[:3, :3].T).magnitude())
    return bool(moved <= FARTHEST_MM and turned <= STEEPEST_DEGREES)


def _is_peak(reference: Volume, brain: np.ndarray, image: Volume, matrix: np.ndarray, nmi: float) -> bool:
    """Return whether there is mutual information that falls in all six directions."""
    if nmi <= 1:
        return False
    for axis, way in itertools.product(range(3), (-1, 1)):
        pushed = matrix.copy()
        pushed[axis, 3] += way * PUSH_MM
        if similarity(reference, brain, image, pushed) - 1 > REMAINDER * (nmi - 1):
            return False
    return True


def _centred(reference: Volume, image: Volume) -> np.ndarray:
    """Return the shift that aligns the centres of mass of the two heads."""
    heads = [(volume, bias_field.foreground(volume.array)) for volume in (reference, image)]
    matrix = np.eye(4)
    matrix[:3, 3] = _centre(*heads[1]) - _centre(*heads[0])
    return matrix


def _centre(volume: Volume, mask: np.ndarray) -> np.ndarray:
    """Return the centre of mass (3,) of a mask in RAS+ mm."""
    return (volume.affine @ np.append(ndimage.center_of_mass(mask), 1.0))[:3]
