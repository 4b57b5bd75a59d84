"""Random fields and smooth deformations of space, from which the phantom is built.

Points are head coordinates in mm (RAS+, the frame of ICBM152), shape (3, N). A field is a `Volume` on a regular lattice.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from madad.core.io.volumes import Volume

# A Gaussian's full width at half maximum in standard deviations: 2 sqrt(2 ln 2).
FWHM = 2.3548
# Halvings of the velocity before squaring; the longest step stays well below the lattice spacing.
SQUARINGS = 5


def lattice(low_mm: tuple[float, ...], high_mm: tuple[float, ...], spacing_mm: float) -> Volume:
    """Return an empty field over the box from `low_mm` to `high_mm`."""
    shape = tuple(int(np.ceil((high - low) / spacing_mm)) + 1 for low, high in zip(low_mm, high_mm, strict=True))
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = low_mm
    return Volume(np.zeros(shape, np.float32), affine)


def lattice_points(grid: Volume) -> np.ndarray:
    """Return the coordinates of every voxel of a grid, shape (3, N), float32."""
    indices = np.indices(grid.array.shape, dtype=np.float32).reshape(3, -1)
    affine = grid.affine.astype(np.float32)
    return affine[:3, :3] @ indices + affine[:3, 3:]


def sample(field: Volume, points: np.ndarray, outside: float | None = None) -> np.ndarray:
    """Interpolate a field linearly at points, (N,); beyond its edge the value is `outside`, or the nearest one."""
    inverse = np.linalg.inv(field.affine).astype(np.float32)
    indices = inverse[:3, :3] @ points + inverse[:3, 3:]
    mode = "nearest" if outside is None else "constant"
    return ndimage.map_coordinates(field.array, indices, order=1, mode=mode, cval=outside or 0.0, output=np.float32)


def random_field(rng: np.random.Generator, grid: Volume, fwhm_mm: float) -> Volume:
    """Draw a Gaussian random field of zero mean and unit variance: white noise under a Gaussian kernel (Worsley et al. 1996)."""
    noise = rng.standard_normal(grid.array.shape, dtype=np.float32)
    sigma = fwhm_mm / FWHM / np.array(grid.spacing_mm)
    smooth = ndimage.gaussian_filter(noise, sigma, mode="wrap", truncate=3)
    return grid.with_array((smooth - smooth.mean()) / max(float(smooth.std()), 1e-6))


def exponential(velocity: np.ndarray, grid: Volume) -> np.ndarray:
    """Return the diffeomorphism of a stationary velocity field.

    By scaling and squaring (Arsigny et al. 2006, doi:10.1007/11866565_113).

    Args:
        velocity: velocity in mm, shape (3, I, J, K).
        grid: lattice of the velocity.

    Returns:
        displacement in mm, shape (3, I, J, K).
    """
    spacing = np.array(grid.spacing_mm, np.float32).reshape(3, 1, 1, 1)
    identity = np.indices(grid.array.shape, dtype=np.float32)
    displacement = (velocity / spacing / 2**SQUARINGS).astype(np.float32)
    for _ in range(SQUARINGS):
        at = identity + displacement
        displacement = displacement + np.stack(
            [ndimage.map_coordinates(part, at, order=1, mode="nearest", output=np.float32) for part in displacement]
        )
    return displacement * spacing


def soft_step(distance_mm: np.ndarray, width_mm: float) -> np.ndarray:
    """Return the share of a voxel below a surface, from the signed distance of its centre: 1 inside, 0 outside."""
    return np.clip(0.5 - distance_mm / width_mm, 0.0, 1.0)
