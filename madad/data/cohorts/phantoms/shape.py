"""Shape of a subject's head: size, pose, an individual diffeomorphism, and the scanner's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from madad.core.io.volumes import Volume
from madad.data.cohorts.phantoms.atlas import Atlas, head_lattice
from madad.data.cohorts.phantoms.fields import exponential, lattice_points, random_field, sample
from madad.data.cohorts.phantoms.subjects import Recipe

# Scales of the velocity field in mm (full width at half maximum of its kernel) and the spacing of its lattice.
WARP_SCALES_MM = (48.0, 20.0, 10.0)
WARP_SPACING_MM = 4.0
# Share of each scale that also deforms the skull: brains differ in detail, skulls stay smooth.
WARP_OUTSIDE = (0.2, 0.0, 0.0)
# Smallest field of view of a scanner, in head coordinates (mm): the brain with a margin.
VIEW_LOW, VIEW_HIGH = (-84.0, -122.0, -78.0), (84.0, 88.0, 98.0)


@dataclass(frozen=True)
class Frame:
    """A scanner's grid laid over a head.

    Attributes:
        grid: the native grid, array of zeros (I, J, K).
        points: head coordinates of its voxels before the subject's own deformation, (3, N).
        origins: template coordinates of the same voxels, (3, N).
        voxel_mm: mean edge of a voxel.
    """

    grid: Volume
    points: np.ndarray
    origins: np.ndarray
    voxel_mm: float


def lay_frame(recipe: Recipe, atlas: Atlas, spacing_mm: float, rng: np.random.Generator) -> Frame:
    """Lay a random native grid over the subject's head and find the template coordinates of its voxels."""
    grid = native_grid(recipe, spacing_mm, rng)
    # World to head: undo shift, rotation and size.
    turn = Rotation.from_euler("xyz", recipe.angles_deg, degrees=True).as_matrix()
    world = lattice_points(grid) - np.array(recipe.shift_mm, np.float32)[:, None]
    points = ((turn.T @ world) / np.array(recipe.scale)[:, None]).astype(np.float32)
    shift = displacement(recipe, atlas, rng)
    origins = points + np.stack([sample(part, points) for part in shift])
    return Frame(grid, points, origins.astype(np.float32), float(np.mean(grid.spacing_mm)))


def displacement(recipe: Recipe, atlas: Atlas, rng: np.random.Generator) -> list[Volume]:
    """Return three fields in mm: the displacement from a point of the head to the origin of its tissue in the template."""
    grid = head_lattice(WARP_SPACING_MM)
    depth = sample(atlas.surface_mm, lattice_points(grid)).reshape(grid.array.shape)
    velocity = np.zeros((3, *grid.array.shape), np.float32)
    for scale, amplitude, outer in zip(WARP_SCALES_MM, recipe.warp_mm, WARP_OUTSIDE, strict=True):
        held = outer + (1 - outer) * np.clip(0.2 - depth / 12, 0, 1)
        velocity += amplitude * held * np.stack([random_field(rng, grid, scale).array for _ in range(3)])
    velocity += recipe.ventricles_mm * _pull(atlas, grid)
    return [grid.with_array(part) for part in exponential(velocity, grid)]


def _pull(atlas: Atlas, grid: Volume) -> np.ndarray:
    """Return directions towards the ventricles, strongest at their walls, which move the walls outwards."""
    distance = sample(atlas.ventricle_mm, lattice_points(grid)).reshape(grid.array.shape)
    inside = ndimage.gaussian_filter((distance < 2).astype(np.float32), 1.0)
    gradient = np.stack(np.gradient(inside)).astype(np.float32)
    return gradient / max(float(np.linalg.norm(gradient, axis=0).max()), 1e-6)


def native_grid(recipe: Recipe, spacing_mm: float, rng: np.random.Generator) -> Volume:
    """Draw a grid of random voxel size, field of view, axis order and obliqueness that covers the brain."""
    spacing = spacing_mm * rng.uniform(0.92, 1.08) * np.ones(3)
    if rng.random() < 0.35:  # a 2D acquisition: thicker slices, finer in plane
        spacing *= 0.93
        spacing[rng.integers(3)] *= 1.35
    low = np.array(VIEW_LOW) - rng.uniform([4, 4, 6], [16, 16, 75])
    high = np.array(VIEW_HIGH) + rng.uniform([4, 4, 4], [16, 40, 16])
    centre = (low + high) / 2 * recipe.scale + recipe.shift_mm
    extent = (high - low) * recipe.scale
    order, flips = rng.permutation(3), rng.choice([-1.0, 1.0], 3)
    axes = np.zeros((3, 3))
    axes[order, np.arange(3)] = flips
    if rng.random() < 0.5:  # an oblique prescription
        axes = Rotation.from_euler("xyz", rng.normal(0, 3.0, 3), degrees=True).as_matrix() @ axes
    shape = np.ceil(extent[order] / spacing[order]).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing[order]
    affine[:3, 3] = centre - affine[:3, :3] @ ((shape - 1) / 2)
    return Volume(np.zeros(tuple(shape), np.float32), affine)
