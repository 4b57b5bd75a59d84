"""The sequences of one session laid on each other: a rigid map from the reference sequence to another one.

A head lies differently in every sequence. The brain is found once, on the reference; here the others are brought to it. What
the optimiser finds is believed only where it is a small movement, explains the image better than the files' headers do, and
is a place where the two brains fit, not merely one of many that are equally bad.
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
from madad.data.preprocessing.steps import ants_images, bias_field, registration

# The head around the brain helps, but jaw, eyes and neck move on their own: compared out to here (mm from the brain).
RIM_MM = 8.0
SCHEDULE = {"aff_iterations": (100, 100, 50), "aff_shrink_factors": (4, 2, 1), "aff_smoothing_sigmas": (2, 1, 0)}
# How far a head may lie from where header or centre of mass put it; beyond it the optimiser went astray.
FARTHEST_MM, STEEPEST_DEGREES = 60.0, 45.0
# Part of the brain that an image must show to be aligned at all.
LEAST_COVERAGE = 0.4
# Where two brains fit, mutual information falls when one is pushed by so much; where it does not, they were never on each other.
PUSH_MM = 12.0
# Of the mutual information a part of 0.05 to 0.2 remained after the push on four pairs of real thick-slice sequences.
REMAINDER = 0.5
# Where headers and centres of mass lead nowhere, heads are tried that are turned about each axis by these.
TURNS_DEGREES = (-25, 0, 25)
# The header is kept unless another place explains so much more mutual information: sequences that come aligned stay so.
GAIN = 1.02


@dataclass(frozen=True)
class Alignment:
    """Where another sequence of the session lies.

    Attributes:
        matrix: (4, 4), points of the reference to points of the image, RAS+ mm.
        nmi: normalised mutual information of the two within the brain, 1 to 2.
        before: the same by the headers alone.
    """

    matrix: np.ndarray
    nmi: float
    before: float


def align(reference: Volume, brain: np.ndarray, image: Volume) -> Alignment:
    """Find the rigid map (6 parameters) from a reference to another image of the same head.

    Mattes mutual information by ANTs, started from the headers or from the centres of mass, whichever fits better, then from
    the other if that leads nowhere, and last from the best of a few turned heads.

    Args:
        reference: bias-corrected head.
        brain: bool mask on its grid.
        image: bias-corrected head on a grid of its own.

    Raises:
        SubjectError: no place was found where the two fit.
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
    raise SubjectError("no position was found in which the brains of the two images fit; look whether both show one head")


def similarity(reference: Volume, brain: np.ndarray, image: Volume, matrix: np.ndarray) -> float:
    """Normalised mutual information within the part of the brain that the image shows; 1 where that is too little."""
    inside = brain & registration.field_of_view(image, matrix, reference)
    if inside.sum() < LEAST_COVERAGE * brain.sum():
        return 1.0
    steps = registration.index_map(image, matrix, reference)
    carried = ndimage.affine_transform(image.array, *steps, reference.array.shape, order=1, mode="nearest")
    return registration.normalised_mutual_information(reference.array, carried, inside)


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
    """Whether the head moved from the start by what heads move."""
    moved = np.linalg.norm(((matrix - start) @ np.append(centre, 1.0))[:3])
    turned = np.degrees(Rotation.from_matrix(matrix[:3, :3] @ start[:3, :3].T).magnitude())
    return bool(moved <= FARTHEST_MM and turned <= STEEPEST_DEGREES)


def _is_peak(reference: Volume, brain: np.ndarray, image: Volume, matrix: np.ndarray, nmi: float) -> bool:
    """Whether there is mutual information, and it falls on all six sides."""
    if nmi <= 1:
        return False
    for axis, way in itertools.product(range(3), (-1, 1)):
        pushed = matrix.copy()
        pushed[axis, 3] += way * PUSH_MM
        if similarity(reference, brain, image, pushed) - 1 > REMAINDER * (nmi - 1):
            return False
    return True


def _centred(reference: Volume, image: Volume) -> np.ndarray:
    """The shift that lays the centres of mass of the two heads on each other."""
    heads = [(volume, bias_field.foreground(volume.array)) for volume in (reference, image)]
    matrix = np.eye(4)
    matrix[:3, 3] = _centre(*heads[1]) - _centre(*heads[0])
    return matrix


def _centre(volume: Volume, mask: np.ndarray) -> np.ndarray:
    """Centre of mass (3,) of a mask in RAS+ mm."""
    return (volume.affine @ np.append(ndimage.center_of_mass(mask), 1.0))[:3]
