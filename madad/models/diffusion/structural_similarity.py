"""Structural similarity of two volumes, voxel by voxel, in 3D or, of a single slice, in 2D.

Source: Wang et al. 2004 (doi:10.1109/TIP.2003.819861), eq. 13, with Gaussian windows as MONAI and scikit-image cut them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from madad.core.errors import UserError
from madad.models.diffusion.smoothing import separable_filter

TRUNCATE = 3.5  # standard deviations at which a window ends


def radius(sigma: float) -> int:
    """Return how many voxels a window reaches from its centre."""
    return int(TRUNCATE * sigma + 0.5)


def smoothed(volume: Tensor, sigma: float) -> Tensor:
    """Blur a volume (S, H, W) by a Gaussian, reflected at the border; sides are 1 or longer than the radius."""
    offsets = torch.arange(-radius(sigma), radius(sigma) + 1, dtype=volume.dtype)
    kernel = torch.exp(-((offsets / sigma) ** 2) / 2)
    return separable_filter(volume, kernel / kernel.sum(), [axis for axis, side in enumerate(volume.shape) if side > 1])


def dissimilarity(reconstruction: Tensor, x: Tensor, sigma: float) -> Tensor:
    """Return 1 - SSIM of each voxel (S, H, W).

    The range of the data is the larger of the two volumes'. Equal to MONAI's, whose convolutions in float32 a GPU may round to
    ten bits.

    Args:
        reconstruction, x: (S, H, W).
        sigma: standard deviation of the window in voxels.
    """
    largest = max(float(volume.max() - volume.min()) for volume in (reconstruction, x)) or 1.0
    c_1, c_2 = (0.01 * largest) ** 2, (0.03 * largest) ** 2
    mu, nu = smoothed(reconstruction, sigma), smoothed(x, sigma)
    variances = (smoothed(reconstruction**2, sigma) - mu**2) + (smoothed(x**2, sigma) - nu**2)
    covariance = smoothed(reconstruction * x, sigma) - mu * nu
    return 1 - (2 * mu * nu + c_1) * (2 * covariance + c_2) / ((mu**2 + nu**2 + c_1) * (variances + c_2))


def check_window(sides: Sequence[int], sigma: float, method: str) -> None:
    """Refuse volumes that a window would leave on two sides.

    Raises:
        UserError: a side is longer than 1 and no longer than the radius.
    """
    if any(1 < side <= radius(sigma) for side in sides):
        raise UserError(
            f"{method}: a volume of {tuple(sides)} voxels; every side must be longer than {radius(sigma)}, "
            "see pipelines.spacing_mm"
        )


def precise(volume: Tensor) -> Tensor:
    """Return a volume in float64, because sums over thousands of voxels are subtracted; Apple's devices have none."""
    return volume.to(torch.float32 if volume.device.type == "mps" else torch.float64)
