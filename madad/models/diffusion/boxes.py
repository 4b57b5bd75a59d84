"""Boxes of a slice that are noised one at a time, so that their surroundings stay clean.

Source: Behrendt et al. 2023 (arXiv 2303.03758), section 2, and its released code. A box is (top, left, bottom, right) in
voxels, the last two just outside; a set of boxes is a (N, 4) tensor of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from madad.core import draws
from madad.models.diffusion import sampling
from madad.models.diffusion.sampling import Denoise


@dataclass(frozen=True)
class Boxes:
    """How a method chooses its boxes, in training and at test.

    Attributes:
        patch_fraction: sides of a box relative to those of the slice, in (0, 1].
        sampling: what is drawn in training: "grid" for one of the boxes used at test, "random" for one anywhere.
        aggregation: what counts where boxes of the test overlap, as in `stitch`.
    """

    patch_fraction: float
    sampling: str
    aggregation: str

    def draw(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one box for each of the images (B, C, H, W), as a mask (B, 1, H, W) bool on their device."""
        height, width = images.shape[-2:]
        if self.sampling == "random":
            boxes = anywhere(len(images), height, width, self.patch_fraction, generator)
        else:
            boxes = grid(height, width, self.patch_fraction)
            boxes = boxes[torch.randint(len(boxes), (len(images),), generator=generator)]
        return masks(draws.sent(boxes, images.device), height, width)

    def cover(self, images: Tensor) -> Tensor:
        """Return the boxes that cover the images (B, C, H, W) at test, as masks (N, 1, H, W) bool on their device."""
        height, width = images.shape[-2:]
        return masks(draws.sent(grid(height, width, self.patch_fraction), images.device), height, width)

    def stitch(self, patches: Iterable[Tensor], cover: Tensor) -> Tensor:
        """Stitch one image from the estimates of all boxes of `cover`."""
        return stitch(patches, cover, self.aggregation)

    def one_step(
        self, denoise: Denoise, x_0: Tensor, noise: Tensor, t: int, alphas_cumprod: np.ndarray, batch_size: int
    ) -> Tensor:
        """Predict the clean images (S, C, H, W) box by box, with the same noise; the inside of each box is kept.

        As many boxes go through the network together as `batch_size` images allow.
        """
        cover, noise = self.cover(x_0), noise.expand_as(x_0)

        def passes() -> Iterator[Tensor]:
            for boxes in cover.split(max(1, batch_size // len(x_0))):
                images, noises = (each.repeat(len(boxes), 1, 1, 1) for each in (x_0, noise))
                region = boxes.repeat_interleave(len(x_0), dim=0)
                yield from sampling.one_step(denoise, images, noises, t, alphas_cumprod, batch_size, region).split(len(x_0))

        return self.stitch(passes(), cover)


# One box that is the whole slice, as in a plain DDPM.
WHOLE = Boxes(patch_fraction=1.0, sampling="grid", aggregation="cut")


def grid(height: int, width: int, patch_fraction: float) -> Tensor:
    """Return the fewest boxes that cover a slice, row by row, evenly spread; they overlap where they do not fit exactly.

    A fraction of 0.5 gives the four quadrants, the published 48 of 96 voxels; 60 of 96 start at 0 and 36.

    Returns:
        (N, 4) long.
    """
    rows, columns = _spread(height, patch_fraction), _spread(width, patch_fraction)
    return torch.tensor([(top, left, bottom, right) for top, bottom in rows for left, right in columns])


def anywhere(count: int, height: int, width: int, patch_fraction: float, generator: torch.Generator) -> Tensor:
    """Draw boxes whose upper left corner may be any voxel; the slice's border cuts them off, as in the released code.

    Returns:
        (count, 4) long.
    """
    top, left = (torch.randint(side, (count,), generator=generator) for side in (height, width))
    bottom = (top + _patch(height, patch_fraction)).clamp(max=height)
    right = (left + _patch(width, patch_fraction)).clamp(max=width)
    return torch.stack([top, left, bottom, right], dim=1)


def masks(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return boxes (N, 4) as masks (N, 1, H, W) bool."""
    top, left, bottom, right = boxes[..., None].unbind(1)
    row, column = (torch.arange(side, device=boxes.device) for side in (height, width))
    inside_rows, inside_columns = (row >= top) & (row < bottom), (column >= left) & (column < right)
    return (inside_rows[:, :, None] & inside_columns[:, None, :]).unsqueeze(1)


def stitch(patches: Iterable[Tensor], cover: Tensor, aggregation: str) -> Tensor:
    """Stitch one image from several, each of which is valid inside a box.

    Args:
        patches: an image (S, C, H, W) for every box, held one at a time.
        cover: (N, 1, H, W) bool, the boxes; together they cover the image.
        aggregation: "cut" to take a voxel from the first box that holds it, "average" for the mean of all that hold it.

    Returns:
        (S, C, H, W).
    """
    kept = cover if aggregation == "average" else cover & (cover.cumsum(dim=0) == 1)
    total: Tensor | None = None
    for patch, inside in zip(patches, kept, strict=True):
        inner = torch.where(inside, patch, 0)
        total = inner if total is None else total + inner
    if total is None:
        raise ValueError("no boxes to stitch")
    return total / kept.sum(dim=0)


def _patch(side: int, patch_fraction: float) -> int:
    # rounded first, so that 0.7 of 10 are 7 voxels and not 8
    return math.ceil(round(patch_fraction * side, 6))


def _spread(side: int, patch_fraction: float) -> list[tuple[int, int]]:
    """Return start and end of every box along one side."""
    patch = _patch(side, patch_fraction)
    starts = torch.linspace(0, side - patch, math.ceil(side / patch)).round().long().tolist()
    return [(start, start + patch) for start in starts]
