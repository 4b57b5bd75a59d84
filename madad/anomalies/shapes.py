"""Random smooth lesion shapes of an exact volume.

A first family: warped ellipsoids. A shape is a distance-like field in mm whose sub-level sets are the lesion, so
that one field gives a lesion of any volume and a soft rim for partial volume.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

# Half-axes vary by up to this factor around the sphere's radius; the warp moves the surface by up to this share of it.
ELONGATION = 0.45
WARP = 0.35


@dataclass(frozen=True)
class Shape:
    """Random draws of one lesion shape, recorded so that the lesion can be made again.

    Attributes:
        axes: relative half-axes, product 1, shape (3,).
        rotation: (3, 3) rotation matrix.
        warp_seed: seed of the displacement that makes the surface irregular.
    """

    axes: np.ndarray
    rotation: np.ndarray
    warp_seed: int


def draw_shape(generator: np.random.Generator) -> Shape:
    """Draw elongation, orientation and irregularity."""
    axes = np.exp(generator.uniform(-ELONGATION, ELONGATION, size=3))
    rotation, _ = np.linalg.qr(generator.standard_normal((3, 3)))
    return Shape(axes / np.prod(axes) ** (1 / 3), rotation, int(generator.integers(2**31)))


def distance_field(
    shape: Shape, grid: tuple[int, int, int], spacing_mm: tuple[float, float, float], centre: np.ndarray, radius_mm: float
) -> np.ndarray:
    """Distance from the centre in the shape's own metric, mm, on a grid. Returns float32 of the grid's shape.

    d(x) = |D⁻¹ R (x − c + w(x))|, R a rotation, D the half-axes, w a smooth displacement of about `WARP` radii.

    Args:
        centre: voxel index, shape (3,).
        radius_mm: radius of the sphere of the wanted volume; sets the scale of the displacement.
    """
    step = np.array(spacing_mm)
    offsets = np.stack(np.meshgrid(*[np.arange(n) for n in grid], indexing="ij")).astype(np.float32)
    offsets = (offsets - np.asarray(centre, dtype=np.float32)[:, None, None, None]) * step[:, None, None, None].astype(np.float32)
    offsets += _displacement(shape, grid, step, radius_mm)
    metric = (np.diag(1 / shape.axes) @ shape.rotation).astype(np.float32)
    return np.linalg.norm(np.tensordot(metric, offsets, axes=1), axis=0)


def soft_lesion(distance: np.ndarray, inside: np.ndarray, voxels: int, rim_mm: float) -> np.ndarray:
    """Lesion of an exact number of voxels with a soft rim. Returns the lesion's share of every voxel, float32 in [0, 1].

    The share is at least 0.5 in exactly `voxels` voxels (all of `inside` if there are fewer) and 0 outside `inside`.

    Args:
        distance: field of `distance_field`.
        inside: voxels the lesion may take, bool.
        voxels: wanted size.
        rim_mm: width over which the share falls from 1 to 0.
    """
    share = np.zeros(distance.shape, dtype=np.float32)
    allowed = distance[inside]
    if not allowed.size or voxels < 1:
        return share
    # The order decides, not the value: equal distances would make the lesion too large.
    order = np.argsort(allowed, kind="stable")
    voxels = min(voxels, allowed.size)
    level = allowed[order[voxels - 1]]
    soft = np.clip(0.5 + (level - allowed) / rim_mm, 0, 1)
    soft[order[:voxels]] = np.maximum(soft[order[:voxels]], 0.5)
    soft[order[voxels:]] = np.minimum(soft[order[voxels:]], np.nextafter(np.float32(0.5), np.float32(0)))
    share[inside] = soft
    return share


def _displacement(shape: Shape, grid: tuple[int, int, int], step: np.ndarray, radius_mm: float) -> np.ndarray:
    """Smooth random vectors, mm, (3, *grid): white noise filtered at about the radius, scaled to `WARP` radii."""
    generator = np.random.default_rng(shape.warp_seed)
    noise = generator.standard_normal((3, *grid)).astype(np.float32)
    sigma = np.maximum(0.6 * radius_mm / step, 0.8)
    smooth = np.stack([ndimage.gaussian_filter(component, sigma) for component in noise])
    return smooth / max(float(smooth.std()), 1e-12) * WARP * radius_mm / np.sqrt(3)
