"""Tissue of a subject's brain: the blurred template becomes the tissue of one person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from madad.core.io.volumes import Volume
from madad.data.cohorts.phantoms.atlas import Atlas
from madad.data.cohorts.phantoms.fields import FWHM, lattice, random_field, sample
from madad.data.cohorts.phantoms.shape import Frame
from madad.data.cohorts.phantoms.subjects import Recipe

# Folds: a kernel of 6 mm puts the zero sheets of the random field about 11 mm apart, a gyrus and its two banks.
FOLD_FWHM_MM = 6.0
FOLD_LOW, FOLD_HIGH = (-80.0, -115.0, -75.0), (80.0, 82.0, 92.0)
# Half-widths of a fold's fluid and of its grey banks, in standard deviations of the field, and the log-odds added to each.
FLUID_WIDTH, GREY_WIDTH, FLUID_GAIN, GREY_GAIN = 0.22, 0.9, 5.0, 3.5
# Log-odds added to fluid along the template's own sulci, and subtracted from grey matter, as averaging thickens the cortex.
SULCUS_GAIN, THINNING = 3.5, 0.9


@dataclass(frozen=True)
class Tissue:
    """Tissue of the brain on the native grid, each flat of length N.

    Attributes:
        grey: share of grey matter in [0, 1].
        white: share of white matter in [0, 1]; the rest is fluid.
        brain: share inside the brain mask.
        detail: texture of the template, about unit variance.
    """

    grey: np.ndarray
    white: np.ndarray
    brain: np.ndarray
    detail: np.ndarray


def make_tissue(recipe: Recipe, atlas: Atlas, frame: Frame, rng: np.random.Generator) -> Tissue:
    """Generate the subject's tissue in template space and resample it to the native grid with partial volume."""
    grey, white = individual(recipe, atlas, rng)
    near = np.flatnonzero(sample(atlas.surface_mm, frame.origins) < 4)
    points = frame.origins[:, near]

    def carried(field: Volume) -> np.ndarray:
        flat = np.zeros(frame.origins.shape[1], np.float32)
        flat[near] = sample(_at_resolution(field, frame.voxel_mm), points, outside=0.0)
        return flat

    return Tissue(carried(grey), carried(white), carried(atlas.brain), carried(atlas.detail))


def individual(recipe: Recipe, atlas: Atlas, rng: np.random.Generator) -> tuple[Volume, Volume]:
    """Return sharp grey and white matter with the subject's own folds, at 1 mm in template space.

    Squaring the shares and renormalising undoes the blur of averaging many heads. Where the template is undecided, the zero
    sheets of a random field decide: along them runs fluid with a bank of grey matter on either side, as in a sulcus.
    """
    inside = np.flatnonzero(atlas.brain.array.ravel() > 0)
    grey, white, folded, sulci = (m.array.ravel()[inside] for m in (atlas.grey, atlas.white, atlas.folded, atlas.sulci))
    fluid = np.clip(1 - grey - white, 0, 1)
    field = random_field(rng, lattice(FOLD_LOW, FOLD_HIGH, 2.0), FOLD_FWHM_MM)
    sheet = sample(field, _points(atlas.grey, inside)) ** 2
    gains = (
        folded * (recipe.sulci + SULCUS_GAIN * sulci + FLUID_GAIN * np.exp(-sheet / FLUID_WIDTH**2)),
        folded * (GREY_GAIN * np.exp(-sheet / GREY_WIDTH**2) - THINNING),
    )
    sharpness = 1.3 + 0.9 * folded
    weights = [
        np.maximum(fluid, 1e-3) ** sharpness * np.exp(gains[0]),
        np.maximum(grey, 1e-3) ** sharpness * np.exp(gains[1]),
        np.maximum(white, 1e-3) ** sharpness,
    ]
    total = weights[0] + weights[1] + weights[2]
    return _scattered(atlas.grey, inside, weights[1] / total), _scattered(atlas.grey, inside, weights[2] / total)


def _points(grid: Volume, flat: np.ndarray) -> np.ndarray:
    indices = np.stack(np.unravel_index(flat, grid.array.shape)).astype(np.float32)
    return (grid.affine[:3, :3] @ indices + grid.affine[:3, 3:]).astype(np.float32)


def _scattered(grid: Volume, flat: np.ndarray, values: np.ndarray) -> Volume:
    array = np.zeros(grid.array.size, np.float32)
    array[flat] = values
    return grid.with_array(array.reshape(grid.array.shape))


def _at_resolution(field: Volume, voxel_mm: float) -> Volume:
    """Blur a 1 mm map to the resolution of a voxel (Cardoso et al. 2015, doi:10.1007/978-3-319-24571-3_81)."""
    sigma = 0.75 * np.sqrt(max(voxel_mm**2 - 1, 0)) / FWHM  # linear interpolation blurs the rest
    return field.with_array(ndimage.gaussian_filter(field.array, sigma, truncate=3)) if sigma > 0 else field
