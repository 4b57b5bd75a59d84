"""Gaussian smoothing of maps with the rule at the border that SciPy's filters have."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

TRUNCATE = 4.0  # standard deviations at which the kernel ends, as in SciPy


def gaussian_blur(image: Tensor, sigma: float, axes: Sequence[int]) -> Tensor:
    """Blur along some axes as `scipy.ndimage.gaussian_filter` does by default; the border is mirrored, edge voxel included.

    The released codes of MAD-AD (arXiv 2502.16943) and MHD (arXiv 2407.12474) smooth their maps by that function.

    Args:
        image: any shape.
        sigma: standard deviation in voxels; 0 returns the image.
        axes: of the image, those along which it is blurred.
    """
    radius = int(TRUNCATE * sigma + 0.5)
    if radius == 0:
        return image
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    kernel = torch.exp(-((offsets / sigma) ** 2) / 2)
    kernel = (kernel / kernel.sum()).to(image).view(1, 1, -1)
    for axis in axes:
        lines = image.index_select(axis, _mirrored(image.shape[axis], radius).to(image.device)).movedim(axis, -1)
        blurred = functional.conv1d(lines.reshape(-1, 1, lines.shape[-1]), kernel)
        image = blurred.view(*lines.shape[:-1], -1).movedim(-1, axis)
    return image


def _mirrored(length: int, radius: int) -> Tensor:
    """Return the voxels of a line that is continued by `radius` voxels on both sides: … 1 0 | 0 1 … n-1 | n-1 n-2 …"""
    index = torch.arange(-radius, length + radius) % (2 * length)
    return torch.minimum(index, 2 * length - 1 - index)
