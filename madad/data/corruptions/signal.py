"""Corruptions of the signal: noise, bias field and contrast. Each is a pure function of a volume and its generator."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.polynomial import legendre

from madad.core.shapes import Vector3

# Highest total degree of the polynomial of a bias field; with more, the extremes of the field lie in the corners of the brain.
DEGREE = 2


def noise(
    image: np.ndarray, brain: np.ndarray, spacing_mm: Vector3, strength: float, generator: np.random.Generator
) -> np.ndarray:
    """Add Rician noise, √((x + n₁)² + n₂²) with n₁, n₂ ~ N(0, σ²) (Gudbjartsson and Patz 1995, doi:10.1002/mrm.1910340618).

    Args:
        image: (S, H, W) in [0, 1].
        brain: not used.
        spacing_mm: not used.
        strength: σ, as a share of the image's range; independent between the voxels of the grid.
        generator: source of all random numbers.
    """
    real, imaginary = strength * generator.standard_normal((2, *image.shape))
    return np.hypot(image + real, imaginary)


def bias_field(
    image: np.ndarray, brain: np.ndarray, spacing_mm: Vector3, strength: float, generator: np.random.Generator
) -> np.ndarray:
    """Apply a smooth multiplicative field whose values span 1 ± strength over the brain.

    The field is a polynomial, as Van Leemput et al. 1999 (doi:10.1109/42.811268) model it, with normal coefficients and scaled
    as BrainWeb scales its fields: 40 % is a range from 0.8 to 1.2 over the brain (http://brainweb.bic.mni.mcgill.ca/faq.html).

    Args:
        image: (S, H, W) in [0, 1].
        brain: (S, H, W) bool; the range of the field is measured inside, its coordinates run from −1 to 1 over the brain's box.
        spacing_mm: not used.
        strength: largest deviation from 1.
        generator: source of all random numbers.
    """
    degrees = [degree for degree in product(range(DEGREE + 1), repeat=3) if 0 < sum(degree) <= DEGREE]
    coefficients = np.zeros((DEGREE + 1,) * 3)
    for degree, drawn in zip(degrees, generator.standard_normal(len(degrees)), strict=True):
        coefficients[degree] = drawn
    shape = legendre.leggrid3d(*_box_coordinates(brain), coefficients)
    low, high = shape[brain].min(), shape[brain].max()
    return image * (1 + strength * (2 * (shape - low) / max(high - low, 1e-12) - 1))


def contrast(
    image: np.ndarray, brain: np.ndarray, spacing_mm: Vector3, strength: float, generator: np.random.Generator
) -> np.ndarray:
    """Change the relation between the tissues' intensities: x^γ, γ = exp(± strength), brighter or darker at random.

    Args:
        image: (S, H, W) in [0, 1].
        brain: not used.
        spacing_mm: not used.
        strength: |ln γ|.
        generator: source of all random numbers.
    """
    return image ** np.exp(strength * generator.choice([-1, 1]))


def _box_coordinates(brain: np.ndarray) -> list[np.ndarray]:
    """Return the coordinates along each axis, −1 and 1 at the ends of the brain's box."""
    coordinates = []
    for axis in range(3):
        inside = np.flatnonzero(brain.any(axis=tuple({0, 1, 2} - {axis})))
        low, high = inside[0], inside[-1]
        coordinates.append(2 * (np.arange(brain.shape[axis]) - low) / max(high - low, 1) - 1)
    return coordinates
