"""Corruptions of the signal: noise, shading, contrast. Each is a pure function of a volume and draws from its generator alone."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.polynomial import legendre

from madad.core.shapes import Vector3

# Highest total degree of the polynomial behind a bias field; more lets the field's extremes shrink into the brain's corners.
DEGREE = 2


def noise(
    image: np.ndarray, brain: np.ndarray, spacing_mm: Vector3, strength: float, generator: np.random.Generator
) -> np.ndarray:
    """Rician noise, √((x + n₁)² + n₂²) with n₁, n₂ ~ N(0, σ²) (Gudbjartsson and Patz 1995, doi:10.1002/mrm.1910340618).

    Args:
        image: (S, H, W) in [0, 1].
        strength: σ, as a share of the image's range; independent between the voxels of the grid.
    """
    real, imaginary = strength * generator.standard_normal((2, *image.shape))
    return np.hypot(image + real, imaginary)


def bias_field(
    image: np.ndarray, brain: np.ndarray, spacing_mm: Vector3, strength: float, generator: np.random.Generator
) -> np.ndarray:
    """A smooth multiplicative field whose values span 1 ± strength over the brain.

    The field is a polynomial, as Van Leemput et al. 1999 (doi:10.1109/42.811268) model it, with normal coefficients and scaled
    as BrainWeb scales its fields: 40 % is a range from 0.8 to 1.2 over the brain (http://brainweb.bic.mni.mcgill.ca/faq.html).

    Args:
        image: (S, H, W) in [0, 1].
        brain: (S, H, W) bool; the field's range is taken inside, its coordinates run from −1 to 1 over the brain's box.
        strength: largest deviation from 1.
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
    """Another relation between the tissues' intensities: x^γ, γ = exp(± strength), brighter or darker at random.

    Args:
        image: (S, H, W) in [0, 1].
        strength: |ln γ|.
    """
    return image ** np.exp(strength * generator.choice([-1, 1]))


def _box_coordinates(brain: np.ndarray) -> list[np.ndarray]:
    """Coordinates along each axis, −1 and 1 at the ends of the brain's box."""
    coordinates = []
    for axis in range(3):
        inside = np.flatnonzero(brain.any(axis=tuple({0, 1, 2} - {axis})))
        low, high = inside[0], inside[-1]
        coordinates.append(2 * (np.arange(brain.shape[axis]) - low) / max(high - low, 1) - 1)
    return coordinates
