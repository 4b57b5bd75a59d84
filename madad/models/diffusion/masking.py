"""Masking blocks: healthy slices with hidden parts, from which a network learns to repair its input.

Source: Iqbal et al. 2023 (mDDPM, arXiv 2305.19867), section 2, and its released code. Lengths in voxels are those of the code at
96 voxels per side and follow the side of the image. Images are in [0, 1] and 0 outside the brain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from madad.core import draws

PUBLISHED_SIDE = 96
MARGIN = 5  # voxels between patches and the bounding box of the brain
# Patches of the "ratio" geometry: of the published length they have five times the area of the brain, enough to hide 90 % of it.
MOST_PATCHES = 256


@dataclass(frozen=True)
class Masking:
    """A masking block: what is hidden, where and behind what.

    Attributes:
        kind: "none"; "ipm" for patches of zeros; "fpm" for the whole brain without part of its frequencies; "fpm_cm" for patches
            of that.
        geometry: "code" for up to `patches` rectangles, "ratio" for as many as hide a share of the brain drawn from `ratio`.
        patches: most rectangles in the geometry of the code.
        length: longest side of a rectangle, as a share of the brain's width; the shortest is half of it.
        ratio: smallest and largest share of the brain to hide.
        frequencies: "low" or "high" to keep those, "random" for one of the two for each slice.
        half_widths: smallest and largest half-width of the square of low frequencies, at 96 voxels.
    """

    kind: str
    geometry: str
    patches: int
    length: float
    ratio: Sequence[float]
    frequencies: str
    half_widths: Sequence[int]

    def __call__(self, images: Tensor, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Mask copies of the images (B, C, H, W) with brains (B, 1, H, W) bool; every slice is masked differently."""
        if self.kind == "none":
            return images
        hidden = brain if self.kind == "fpm" else brain & self.draw_patches(brain, generator)
        behind = torch.zeros_like(images) if self.kind == "ipm" else self.draw_filtered(images, generator)
        return torch.where(hidden, behind, images)

    def draw_patches(self, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Draw a union of rectangles for each brain (B, 1, H, W) bool, of the same shape."""
        if self.geometry == "ratio":
            rectangles = draw_rectangles(brain, MOST_PATCHES, self.length, 0, generator)
            low, high = self.ratio
            share = low + (high - low) * torch.rand(len(brain), generator=generator)
            return union(rectangles, smallest_number(rectangles, brain, draws.sent(share, brain.device)))
        margin = scaled(MARGIN, brain)
        rectangles = draw_rectangles(brain, self.patches, self.length, margin, generator)
        number = torch.randint(self.patches + 1, (len(brain),), generator=generator)
        return union(rectangles, draws.sent(number, brain.device))

    def draw_filtered(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the images (B, C, H, W) with only their low or high frequencies, one half-width for each."""
        count = len(images)
        smallest, largest = (max(1, scaled(width, images)) for width in self.half_widths)
        half_width = torch.randint(smallest, largest + 1, (count,), generator=generator)
        coin = torch.randint(2, (count,), generator=generator) == 1
        low = {"random": coin, "low": torch.ones_like(coin), "high": torch.zeros_like(coin)}[self.frequencies]
        return filtered(images, draws.sent(half_width, images.device), draws.sent(low, images.device))


@dataclass(frozen=True)
class Rectangles:
    """P rectangles for each of B slices, as the rows and the columns they hold.

    Attributes:
        rows: (B, P, H) bool.
        columns: (B, P, W) bool.
    """

    rows: Tensor
    columns: Tensor


def draw_rectangles(brain: Tensor, number: int, length: float, margin: int, generator: torch.Generator) -> Rectangles:
    """Draw rectangles in the bounding boxes of the brains, with independent sides and positions.

    With R the brain's columns, L = floor(length R) and l = floor(L / 2): sides ~ U{l .. L}; first row and column ~
    U{a + margin .. b - margin - L} for a brain from a to b. A brain too small for that, or none, gets empty rectangles.
    The slices of the released code have the left and the right as their first axis, so that its rows are the columns here.

    Args:
        brain: (B, 1, H, W) bool.
        number: P.
        length: see above.
        margin: voxels.
    """
    filled = brain.any(dim=3)[:, 0], brain.any(dim=2)[:, 0]
    # the small number keeps 0.18 * 50 at 9 in float32
    longest = (length * filled[1].sum(dim=1, keepdim=True) + 1e-4).long()
    uniform = draws.sent(torch.rand((len(brain), number, 4), generator=generator), brain.device)
    sides = [_integers(longest // 2, longest, u) for u in uniform[..., :2].unbind(-1)]
    starts, fits = [], torch.ones_like(longest, dtype=torch.bool)
    for inside, u in zip(filled, uniform[..., 2:].unbind(-1), strict=True):
        first, last = _ends(inside)
        lowest, highest = first + margin, last - margin - longest
        fits &= highest >= lowest
        starts.append(_integers(lowest, highest, u))
    held = []
    for inside, start, side in zip(filled, starts, sides, strict=True):
        index = torch.arange(inside.shape[1], device=brain.device)
        held.append((index >= start[..., None]) & (index < (start + side * fits)[..., None]))
    return Rectangles(*held)


def union(rectangles: Rectangles, number: Tensor) -> Tensor:
    """Return the union of the first `number` (B,) rectangles of each slice, (B, 1, H, W) bool."""
    used = torch.arange(rectangles.rows.shape[1], device=number.device) < number[:, None]
    rows = (rectangles.rows & used[..., None]).float()
    # How many rectangles hold each voxel: ones and their sums, exact in any precision as far as zero is concerned.
    return (rows.transpose(1, 2) @ rectangles.columns.float()).unsqueeze(1) > 0


def smallest_number(rectangles: Rectangles, brain: Tensor, share: Tensor) -> Tensor:
    """Return how many rectangles are needed until their union holds a share (B,) of each brain; all if they do not suffice.

    By bisection, since the union can only grow.
    """
    voxels = brain.flatten(1).sum(dim=1)
    most = rectangles.rows.shape[1]
    low, high = torch.zeros_like(voxels), torch.full_like(voxels, most)
    for _ in range(most.bit_length()):
        middle = (low + high) // 2
        enough = (union(rectangles, middle) & brain).flatten(1).sum(dim=1) >= share * voxels
        low, high = torch.where(enough, low, (middle + 1).clamp(max=most)), torch.where(enough, middle, high)
    return high


def filtered(images: Tensor, half_width: Tensor, low: Tensor) -> Tensor:
    """Keep low or high frequencies of each image: z_F = Re IDFT(M_F DFT(z)); for one half-width the two add up to the image.

    Low are the indices c - v .. c + v - 1 of the centred spectrum in rows and columns, c = n // 2. That square holds the
    frequency -v but not +v, so that the real part filters with the mean of the square and its mirror image.

    Args:
        images: (B, C, H, W).
        half_width: v, (B,) integers from 1.
        low: (B,) bool, False for the high ones.

    Returns:
        (B, C, H, W), neither clipped nor scaled; high frequencies have the mean 0.
    """
    row, column = (_in_window(side, half_width) for side in images.shape[2:])
    window = (row[:, :, None] & column[:, None, :]).unsqueeze(1)
    keep = window == low.view(-1, 1, 1, 1)
    spectrum = torch.fft.fft2(images) * torch.fft.ifftshift(keep, dim=(2, 3))
    return torch.fft.ifft2(spectrum).real.to(images.dtype)


def scaled(voxels: int, images: Tensor) -> int:
    """Scale a length that is given at 96 voxels per side to images (..., H, W)."""
    return round(voxels * images.shape[-2] / PUBLISHED_SIDE)


def _in_window(side: int, half_width: Tensor) -> Tensor:
    """Return (B, side) bool: the low frequencies along one side of the centred spectrum."""
    frequency = torch.arange(side, device=half_width.device) - side // 2
    return (frequency >= -half_width[:, None]) & (frequency < half_width[:, None])


def _ends(inside: Tensor) -> tuple[Tensor, Tensor]:
    """Return first and last True of every row of (B, N), as (B, 1); N and -1 where there is none."""
    index = torch.arange(inside.shape[1], device=inside.device)
    first = torch.where(inside, index, inside.shape[1]).amin(dim=1, keepdim=True)
    last = torch.where(inside, index, -1).amax(dim=1, keepdim=True)
    return first, last


def _integers(low: Tensor, high: Tensor, uniform: Tensor) -> Tensor:
    """Turn numbers in [0, 1) into integers from low to high, both included."""
    return torch.minimum(low + (uniform * (high - low + 1)).floor().long(), high)
