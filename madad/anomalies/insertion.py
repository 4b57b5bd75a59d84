"""Putting a synthetic lesion into a healthy image, with its exact truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from madad.anomalies.shapes import distance_field, draw_shape, soft_lesion

# Texture inside a lesion: standard deviation as a share of the contrast, and correlation length in mm.
TEXTURE = 0.25
TEXTURE_MM = 4.0
# A lesion's centre keeps this far from the brain's surface, or half its radius if that is less.
DEPTH_MM = 8.0


@dataclass(frozen=True)
class Recipe:
    """What to implant.

    Attributes:
        volume_ml: lesion volume.
        contrast: change of intensity in units of the normalised range [0, 1].
        sign: +1 brighter, -1 darker.
    """

    volume_ml: float
    contrast: float
    sign: int


@dataclass(frozen=True)
class Implant:
    """A lesioned image.

    Attributes:
        image: (S, H, W) float32; equal to the healthy image wherever the lesion has no share.
        lesion: (S, H, W) bool, voxels of which the lesion has at least half.
        centre: voxel index of the centre, (3,).
        measured_contrast: mean change inside the lesion after clipping to [0, 1].
    """

    image: np.ndarray
    lesion: np.ndarray
    centre: np.ndarray
    measured_contrast: float


def implant(
    image: np.ndarray,
    brain: np.ndarray,
    tissue: np.ndarray,
    spacing_mm: tuple[float, float, float],
    recipe: Recipe,
    generator: np.random.Generator,
) -> Implant | None:
    """Implant one lesion; the given image is not changed. Returns None where the brain has no room for a centre.

    I = clip(I0 + sign · contrast · share · (1 + texture), 0, 1) inside the brain.

    Args:
        image: healthy image, (S, H, W) in [0, 1].
        brain: bool mask on the grid.
        tissue: probability of grey or white matter on the grid, weights the choice of the centre.
        spacing_mm: voxel size along (S, H, W).
        recipe: volume, contrast and sign.
        generator: source of the shape, place and texture.
    """
    radius_mm = (3000 * recipe.volume_ml / (4 * np.pi)) ** (1 / 3)
    centre = draw_centre(brain, tissue, spacing_mm, min(DEPTH_MM, radius_mm / 2), generator)
    if centre is None:
        return None
    voxels = max(1, round(1000 * recipe.volume_ml / float(np.prod(spacing_mm))))
    distance = distance_field(draw_shape(generator), image.shape, spacing_mm, centre, radius_mm)
    share = soft_lesion(distance, brain, voxels, rim_mm=1.5 * float(np.mean(spacing_mm)))
    texture = _texture(image.shape, spacing_mm, generator)
    change = recipe.sign * recipe.contrast * share * (1 + TEXTURE * texture)
    lesioned = np.where(share > 0, np.clip(image + change, 0, 1), image).astype(np.float32)
    lesion = share >= 0.5
    return Implant(lesioned, lesion, centre, float((lesioned - image)[lesion].mean()))


def draw_centre(
    brain: np.ndarray, tissue: np.ndarray, spacing_mm: tuple[float, float, float], depth_mm: float, generator: np.random.Generator
) -> np.ndarray | None:
    """A voxel of grey or white matter at least `depth_mm` below the brain's surface, or None when there is none."""
    depth = ndimage.distance_transform_edt(brain, sampling=spacing_mm)
    weights = np.where(brain & (depth >= depth_mm), tissue, 0).ravel().astype(np.float64)
    if weights.sum() <= 0:
        return None
    return np.array(np.unravel_index(generator.choice(weights.size, p=weights / weights.sum()), brain.shape))


def _texture(grid: tuple[int, int, int], spacing_mm: tuple[float, float, float], generator: np.random.Generator) -> np.ndarray:
    """Smooth noise of mean about 0 and standard deviation 1, float32."""
    noise = generator.standard_normal(grid).astype(np.float32)
    smooth = ndimage.gaussian_filter(noise, [TEXTURE_MM / step / 2 for step in spacing_mm])
    return smooth / max(float(smooth.std()), 1e-12)
