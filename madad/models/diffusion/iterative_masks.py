"""Masks that shrink around what a network cannot restore, and the high frequencies that guide it.

Sources: Liang et al. 2024 (IterMask2, arXiv 2406.02422) and Liang et al. 2026 (IterMask3D, arXiv 2504.04911) with their released
codes. Lengths in voxels are those of the code at 240 voxels per side and follow the side of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import curve_fit
from torch import Tensor

from madad.core import draws

PUBLISHED_SIDE = 240
SIDES = (4, 8, 16)  # of the squares, in voxels
COUNTS = {8: (5, 9), 16: (3, 9)}
VARIANCES = (0.3, 10.0)
# A standard deviation of sqrt(variance) is this many voxels, and so many squares of the smallest side go with sqrt(a b).
WIDE, NARROW = (10.0, (100, 200)), (2.5, (5, 20))
NARROW_SHARE = 1 / 3
# Of the fit of a tangent to the thresholds: those above are left out, and a worse fit gives way to differences.
HIGHEST, LAST_FITTED, WORST_FIT, NEIGHBOURS = 10.0, 80, 0.85, 5


def low_frequencies(sides: Sequence[int], radius: float) -> Tensor:
    """Return which bins of a centred spectrum of that size lie closer to its centre than `radius`, as a bool tensor."""
    axes = torch.meshgrid(*(torch.arange(side) - side // 2 for side in sides), indexing="ij")
    return torch.stack(axes).square().sum(dim=0) < radius**2


def high_pass(images: Tensor, radius: float) -> Tensor:
    """Set the amplitude of the low frequencies to 1 and keep their phase; arXiv 2406.02422, section 2, released code.

    A bin is one cycle per side of the image, however many voxels that has.

    Args:
        images: (B, C, H, W).
        radius: of what counts as low, in bins.

    Returns:
        (B, C, H, W), mean about 0; neither clipped nor scaled.
    """
    low = draws.sent(torch.fft.ifftshift(low_frequencies(images.shape[2:], radius)), images.device)
    spectrum = torch.fft.fft2(images.float())
    phase = torch.polar(torch.ones_like(spectrum.real), spectrum.angle())
    return torch.fft.ifft2(torch.where(low, phase, spectrum)).real.to(images.dtype)


def draw_blobs(brain: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a mask of scattered squares around one place of each brain (B, 1, H, W) bool, in the same shape; released code.

    The density of the squares is a Gaussian of random place, width and direction on the voxels of the brain; in a third of the
    masks it is narrow and the squares are few. Row and column of a square come from two draws of that density.
    """
    return torch.stack([_blob(one[0].cpu(), generator)[None] for one in brain]).to(brain.device) & brain


def _blob(inside: Tensor, generator: torch.Generator) -> Tensor:
    """Draw the union of squares (H, W) of one slice; nothing where there is no brain."""
    places = inside.nonzero()
    a, b, correlation, kind, place = torch.rand(5, generator=generator, dtype=torch.float64).tolist()
    union = torch.zeros(inside.shape, dtype=torch.bool)
    if not len(places):
        return union
    low, high = VARIANCES
    scale, factors = NARROW if kind < NARROW_SHARE else WIDE
    a, b = (low + (high - low) * u for u in (a, b))
    spread = (a * b) ** 0.5
    covariance = torch.tensor([[a, (2 * correlation - 1) * spread], [(2 * correlation - 1) * spread, b]], dtype=torch.float64)
    voxel = max(inside.shape) / PUBLISHED_SIDE
    offsets = (places - places[int(place * len(places))]).double() / (scale * voxel)
    squared = (offsets @ torch.linalg.pinv(covariance) * offsets).sum(1)
    density = torch.zeros(inside.shape, dtype=torch.float64)
    density[inside] = torch.exp(-squared / 2)
    counts = {SIDES[0]: tuple(int(factor * spread) for factor in factors), **COUNTS}
    for side, (fewest, most) in counts.items():
        number = int(torch.randint(fewest, most + 1, (), generator=generator))
        union |= _squares(density, number, max(1, round(side * voxel)), generator)
    return union


def _squares(density: Tensor, number: int, side: int, generator: torch.Generator) -> Tensor:
    """Return the union of squares whose first rows and columns are drawn from the two margins of a density (H, W)."""
    if number == 0:
        return torch.zeros(density.shape, dtype=torch.bool)
    held = []
    for axis, length in ((1, density.shape[0]), (0, density.shape[1])):
        first = torch.multinomial(density.sum(axis), number, replacement=True, generator=generator)[:, None]
        index = torch.arange(length)
        held.append(((index >= first) & (index < first + side)).float())
    return held[0].T @ held[1] > 0


@dataclass(frozen=True)
class Shrinking:
    """How masks follow the errors of the restorations.

    Attributes:
        stop: a mask that changes by less than this share of its size is final.
        most: passes at most.
    """

    stop: float
    most: int

    def __call__(
        self, x: Tensor, mask: Tensor, within: Tensor, threshold: Tensor, restore: Callable[[Tensor], Tensor], *, grow: bool
    ) -> tuple[Tensor, Tensor]:
        """Restore behind masks until these settle, each slice by itself; arXiv 2406.02422, algorithm of the inference.

        Args:
            x: (S, 1, H, W).
            mask: first masks, bool in the shape of x.
            within: where masks may be.
            threshold: of the squared error, broadcastable to x.
            restore: from masks to restorations, in the shape of x.
            grow: whether a mask may take in voxels that it had left, as in IterMask3D; otherwise only its own voxels count.

        Returns:
            the final masks and the restorations of the last pass of each slice.
        """
        restored, running = x, torch.ones(len(x), 1, 1, 1, dtype=torch.bool, device=x.device)
        for _ in range(self.most):
            running = running & mask.any(dim=(2, 3), keepdim=True)
            if not running.any():
                break
            restored = torch.where(running, restore(mask), restored)
            wrong = within & ((x - restored).square() > threshold)
            new = torch.where(running, wrong if grow else wrong & mask, mask)
            before, after = (each.sum(dim=(2, 3), keepdim=True).float() for each in (mask, new))
            mask, running = new, running & ((before - after).abs() >= self.stop * before)
        return mask, restored


def best_level(levels: np.ndarray, thresholds: np.ndarray, gamma: float) -> int:
    """Return the index of the threshold at which errors start to grow fast; arXiv 2504.04911, released code.

    A tangent a tan(b i) is fitted to the thresholds up to the first above 10; where it fits badly, the mean difference of
    neighbouring thresholds stands in for its slope.

    Args:
        levels: i, percentages of the brain below the thresholds, rising.
        thresholds: (L,).
        gamma: the slope per percentage that counts as fast.

    Returns:
        the first index with a larger slope, else 0.
    """
    slope = _tangent_slope(levels, thresholds)
    if slope is None:
        differences = np.gradient(thresholds, levels) if len(levels) > 1 else np.zeros(1)
        slope = np.convolve(differences, np.ones(NEIGHBOURS) / NEIGHBOURS, mode="same")
    return int(np.argmax(slope > gamma))


def _tangent_slope(levels: np.ndarray, thresholds: np.ndarray) -> np.ndarray | None:
    """Return a b sec^2(b i) of the fitted tangent, None where there is no good fit."""
    above = np.flatnonzero(thresholds > HIGHEST)
    fitted = slice(0, above[0] + 1 if len(above) else len(levels))
    try:
        (a, b), _ = curve_fit(lambda i, a, b: a * np.tan(b * i), levels[fitted], thresholds[fitted], p0=(1.0, 0.01))
    except (RuntimeError, TypeError, ValueError):  # no convergence, or fewer points than parameters
        return None
    early = levels <= LAST_FITTED
    residual = thresholds[early] - a * np.tan(b * levels[early])
    spread = thresholds[early] - thresholds[early].mean()
    if not spread.any() or 1 - (residual**2).sum() / (spread**2).sum() < WORST_FIT:
        return None
    return a * b / np.cos(b * levels) ** 2
