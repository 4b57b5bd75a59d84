"""Rigid motion during the scan, simulated in k-space, where the scanner measures.

Source of the model: Shaw et al. 2020, "A k-space model of movement artefacts", doi:10.1109/TMI.2020.2972547; own
implementation. Lines of k-space that are measured after a movement are taken from the moved volume.
"""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage
from scipy.spatial.transform import Rotation

from madad.core.shapes import Vector3

# Number of movements; the head does not move between them. Severities differ in the distance, not in the number.
MOVES = 8
# The centre of k-space, below so many cycles per mm, is measured at rest. It determines position and brightness of the anatomy,
# so that the reference masks stay valid; registration would have found that position.
REST_PER_MM = 0.04
# A head that turns by up to 1° is also displaced by up to this distance.
MM_PER_DEGREE = 1.0


def motion(
    image: np.ndarray, brain: np.ndarray, spacing_mm: Vector3, strength: float, generator: np.random.Generator
) -> np.ndarray:
    """Add ghosts and ringing along a phase-encoding direction, left–right or anterior–posterior at random.

    Lines are measured from one end of k-space to the other; at random times the head moves to a random position.

    Args:
        image: (S, H, W) in [0, 1].
        brain: (S, H, W) bool; the head turns about its centre.
        spacing_mm: edge lengths of a voxel along (S, H, W).
        strength: largest turn about each axis in degrees, and largest displacement along it in mm / `MM_PER_DEGREE`.
        generator: source of all random numbers.
    """
    axis = int(generator.integers(1, 3))
    lines = image.shape[axis]
    times = np.sort(generator.uniform(0, 1, MOVES))
    turns, steps = generator.uniform(-1, 1, (2, MOVES, 3)) * strength
    measured = fft.ifftshift(np.arange(lines)) / lines  # when each line is: the lowest frequency in the middle of the scan
    resting = np.abs(fft.fftfreq(lines, spacing_mm[axis])) < REST_PER_MM
    k_space = fft.fft(image, axis=axis)
    for move in range(MOVES):
        until = times[move + 1] if move + 1 < MOVES else 1.0
        chosen = (measured >= times[move]) & (measured < until) & ~resting
        if chosen.any():
            moved = _moved(image, brain, spacing_mm, turns[move], steps[move] * MM_PER_DEGREE)
            where = [slice(None)] * 3
            where[axis] = chosen
            k_space[tuple(where)] = fft.fft(moved, axis=axis)[tuple(where)]
    return np.abs(fft.ifft(k_space, axis=axis))


def _moved(image: np.ndarray, brain: np.ndarray, spacing_mm: Vector3, turn: np.ndarray, step_mm: np.ndarray) -> np.ndarray:
    """Rotate the volume about the brain's centre (degrees about S, H, W) and translate it (mm along S, H, W)."""
    spacing = np.asarray(spacing_mm)
    rotation = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    matrix = rotation.T * spacing / spacing[:, None]
    centre = np.asarray(ndimage.center_of_mass(brain))
    offset = centre - matrix @ (centre + step_mm / spacing)
    return ndimage.affine_transform(image, matrix, offset, order=3, mode="constant")
