"""Smoothing of images and maps, the border mirrored as SciPy's or as torch's filters do it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from madad.core import draws

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
    return separable_filter(image, kernel / kernel.sum(), axes, edge=True)


def separable_filter(image: Tensor, kernel: Tensor, axes: Sequence[int], edge: bool = False) -> Tensor:
    """Filter along some axes, one after another; the border is mirrored.

    Args:
        image: any shape.
        kernel: (2 R + 1,) symmetric.
        axes: of the image, those along which it is filtered.
        edge: whether the mirror lies outside the edge voxel, which is then repeated, and not at its centre.
    """
    radius, weights = len(kernel) // 2, draws.like(kernel, image).view(1, 1, -1)
    for axis in axes:
        lines = image.index_select(axis, draws.sent(_mirrored(image.shape[axis], radius, edge), image.device)).movedim(axis, -1)
        filtered = functional.conv1d(lines.reshape(-1, 1, lines.shape[-1]), weights)
        image = filtered.view(*lines.shape[:-1], -1).movedim(-1, axis)
    return image


def _mirrored(length: int, radius: int, edge: bool) -> Tensor:
    """Return the voxels of a line that is continued by `radius` voxels on both sides.

    … 1 0 | 0 1 … n-1 | n-1 n-2 … with the edge twice, otherwise … 2 1 | 0 1 … n-1 | n-2 n-3 …
    """
    period = max(2 * length if edge else 2 * (length - 1), 1)
    index = torch.arange(-radius, length + radius) % period
    return torch.minimum(index, (period - 1 if edge else period) - index)
