"""Starting shapes of lesions: random blobs of Perlin noise, and maps of an exact volume.

All arrays here are numpy, 2D or 3D; lengths are in voxels of an isotropic grid.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from madad.data.anomalies.perlin import draw_lattice, noise

# Half-axes vary by up to this log factor; noise moves the surface of the unit ball's squared radius by up to about half of this.
ELONGATION = 0.45
ROUGHNESS = 1.4
# Noise cells along the side of the window around a blob, which is six radii wide.
WINDOW_CELLS = 7
WINDOW_RADII = 6.0


def radius(voxels: float, dims: int) -> float:
    """Return the radius in voxels of a disc or ball of that many voxels."""
    return float((voxels / np.pi) ** 0.5 if dims == 2 else (3 * voxels / (4 * np.pi)) ** (1 / 3))


def blob(inside: np.ndarray, centre: np.ndarray, voxels: int, rim: float, generator: np.random.Generator) -> np.ndarray:
    """Draw a random shape around a centre: a stretched ball with a surface made irregular by two octaves of Perlin noise.

    Args:
        inside: voxels that the shape may occupy, bool.
        centre: voxel index, (D,).
        voxels: size of the shape.
        rim: width in voxels over which the share falls from 1 to 0.
        generator: source of all random numbers.

    Returns:
        Share of every voxel, as `exact_share`.
    """
    size = radius(max(voxels, 1), inside.ndim)
    window = _window(inside.shape, centre, WINDOW_RADII / 2 * size + 2)
    offsets = [np.arange(part.start, part.stop, dtype=np.float32) - c for part, c in zip(window, centre, strict=True)]
    field = _roughness(offsets, size, generator) - _ball(offsets, size, generator)
    share = np.zeros(inside.shape, dtype=np.float32)
    share[window] = exact_share(field, inside[window], voxels, rim)
    return share


def exact_share(field: np.ndarray, inside: np.ndarray, voxels: int, rim: float) -> np.ndarray:
    """Convert a field to a lesion of an exact size with a rim of a given width. Returns float32 in [0, 1].

    The share is at least 0.5 in exactly `voxels` voxels (all of `inside` if there are fewer), those of the largest field,
    and 0 outside `inside`. The field's slope at that level sets how fast the share falls.

    Args:
        field: values that are larger where there is more lesion.
        inside: voxels that the lesion may occupy, bool.
        voxels: size of the lesion.
        rim: width of the rim in voxels.
    """
    share = np.zeros(field.shape, dtype=np.float32)
    allowed = field[inside]
    voxels = min(voxels, allowed.size)
    if voxels < 1:
        return share
    # The order decides, not the value: equal values would make the lesion too large.
    order = np.argsort(-allowed, kind="stable")
    level = allowed[order[voxels - 1]]
    soft = np.clip(0.5 + (allowed - level) / max(_slope(field, level) * rim, 1e-12), 0, 1).astype(np.float32)
    soft[order[:voxels]] = np.maximum(soft[order[:voxels]], 0.5)
    soft[order[voxels:]] = np.minimum(soft[order[voxels:]], np.nextafter(np.float32(0.5), np.float32(0)))
    share[inside] = soft
    return share


def _slope(field: np.ndarray, level: float) -> float:
    """Return the median length of the gradient at the surface where the field crosses the level."""
    above = np.pad(field >= level, 1, mode="edge")
    surface = (above & ~ndimage.binary_erosion(above, border_value=1))[(slice(1, -1),) * field.ndim]
    squares = sum(np.gradient(field, axis=axis) ** 2 for axis in range(field.ndim) if field.shape[axis] > 1)
    lengths = np.sqrt(squares)[surface] if surface.any() else np.zeros(1)
    return float(np.median(lengths))


def _window(grid: tuple[int, ...], centre: np.ndarray, reach: float) -> tuple[slice, ...]:
    return tuple(slice(max(0, int(c - reach)), min(n, int(c + reach) + 2)) for c, n in zip(centre, grid, strict=True))


def _ball(offsets: list[np.ndarray], size: float, generator: np.random.Generator) -> np.ndarray:
    """Return the squared distance from the centre in a random ellipsoid's metric, 1 on its surface."""
    dims = len(offsets)
    axes = np.exp(generator.uniform(-ELONGATION, ELONGATION, size=dims))
    rotation, _ = np.linalg.qr(generator.standard_normal((dims, dims)))
    metric = np.diag(np.prod(axes) ** (1 / dims) / axes / size) @ rotation
    points = np.stack(np.meshgrid(*offsets, indexing="ij")).astype(np.float32)
    return (np.tensordot(metric.astype(np.float32), points, axes=1) ** 2).sum(axis=0)


def _roughness(offsets: list[np.ndarray], size: float, generator: np.random.Generator) -> np.ndarray:
    """Draw two octaves of Perlin noise whose cells are a little smaller than the radius."""
    total = np.zeros([len(axis) for axis in offsets], dtype=np.float32)
    for cells, weight in ((WINDOW_CELLS, ROUGHNESS), (2 * WINDOW_CELLS, ROUGHNESS / 2)):
        lattice = draw_lattice(1, len(offsets), generator, cells)[None]
        points = [torch.from_numpy((axis / (WINDOW_RADII * size) + 0.5) * cells)[None].float() for axis in offsets]
        total += weight * noise(lattice, points)[0, 0].numpy()
    return total
