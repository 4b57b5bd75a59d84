"""Noise with shapes in it, and the masks of a restoration in several stages, after Synomaly.

Source: Bi et al. 2025 (doi:10.1016/j.media.2025.103737, arXiv 2411.04004) and its released code, which works on slices of 128
voxels per side; lengths in voxels follow the side of the slice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from monai.networks.layers import gaussian_1d, separable_filtering
from scipy import ndimage
from torch import Tensor

PUBLISHED_SIDE = 128
GREY_LEVELS = 255
SMALLEST_SIGMA = 0.3
# Components are those of each slice: neighbours share an edge.
EDGES = np.stack([np.zeros((3, 3), bool), ndimage.generate_binary_structure(2, 1), np.zeros((3, 3), bool)])
# Changes of a mask are relative to at least this many voxels of a slice of 128 x 128.
SMALLEST_AREA = 500


@dataclass(frozen=True)
class ShapeNoise:
    """Gaussian noise n to which a constant is added inside shapes: n + s m (u + `offset`), u ~ U(0, 1) for each image.

    m is 1 where the same n, blurred and stretched to 0 … 255 within its image, exceeds `level`, in the brain only.

    Attributes:
        sigma: of the blur, in voxels of a slice of 128; the larger, the larger the shapes.
        level: in 0 … 255; the higher, the fewer shapes.
        offset: smallest addition.
        direction: sign s, "bright", "dark", or "both" for one or the other at random in each image.
    """

    sigma: float
    level: float
    offset: float
    direction: str

    def __call__(self, images: Tensor, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Draw noise in the shape and type and on the device of the images (B, 1, H, W) with brains (B, 1, H, W) bool."""
        noise = torch.randn(images.shape, generator=generator)
        u, coin = torch.rand(2, len(images), generator=generator)
        sign = {"bright": 1.0, "dark": -1.0, "both": (coin < 0.5) * 2.0 - 1.0}[self.direction]
        shapes = self.shapes(noise) & brain.cpu()
        return (noise + (sign * (u + self.offset)).view(-1, 1, 1, 1) * shapes).to(images)

    def shapes(self, noise: Tensor) -> Tensor:
        """Return m, (B, 1, H, W) bool, not yet limited to the brain."""
        smooth = blur(noise, self.sigma).flatten(1)
        low, high = smooth.amin(dim=1, keepdim=True), smooth.amax(dim=1, keepdim=True)
        return ((smooth - low) * GREY_LEVELS > self.level * (high - low)).view(noise.shape)


@dataclass(frozen=True)
class Stages:
    """Where a restoration changed an image so much that it replaces the image in the next stage.

    Attributes:
        sigma: of the blur of both images, in voxels of a slice of 128.
        threshold: of the absolute difference of the blurred images, in the range [-1, 1] of their intensities.
        smallest: voxels of a slice of 128 x 128 that a component must have at least.
        change: relative change of a mask's size below which the stages end.
    """

    sigma: float
    threshold: float
    smallest: int
    change: float

    def mask(self, images: Tensor, restored: Tensor) -> Tensor:
        """Return (S, 1, H, W) bool: where images differ from their restorations of that shape."""
        changed = blur(images - restored, self.sigma).abs() >= self.threshold
        labels, _ = ndimage.label(changed[:, 0].cpu().numpy(), EDGES)
        kept = np.bincount(labels.ravel()) >= self.smallest * area(images)
        kept[0] = False
        return torch.from_numpy(kept[labels]).unsqueeze(1).to(images.device)

    def settled(self, before: Tensor, after: Tensor) -> Tensor:
        """Return (S,) bool: which masks (S, 1, H, W) have nearly the size of the stage before."""
        sizes = [mask.flatten(1).sum(dim=1).float() for mask in (before, after)]
        return (sizes[1] - sizes[0]).abs() <= self.change * sizes[0].clamp_min(SMALLEST_AREA * area(before))


def blur(images: Tensor, sigma: float) -> Tensor:
    """Blur images (B, C, H, W) by a Gaussian, sigma in voxels of a slice of 128, mirrored beyond the border."""
    voxels = max(SMALLEST_SIGMA, sigma * max(images.shape[2:]) / PUBLISHED_SIDE)
    kernel = gaussian_1d(torch.tensor(voxels)).to(images)
    return separable_filtering(images, [kernel, kernel], mode="reflect")


def area(images: Tensor) -> float:
    """Return the voxels of a slice (…, H, W) relative to those of a slice of 128 x 128."""
    return images.shape[-2] * images.shape[-1] / PUBLISHED_SIDE**2
