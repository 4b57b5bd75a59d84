"""Corruption of latents inside the outlines of random walks.

Source: Beizaee et al. 2025 (REFLECT, arXiv 2508.02889), section 2, and its released code, on latents of 32 x 32 cells; lengths of
walks follow the area of the latents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

PUBLISHED_CELLS = 32 * 32
EMPTY_SHARE = 0.1  # of images that stay as they are
LONGEST = (200, 120, 100, 80)  # steps of a walk, for one to four of them; their numbers are as likely as 1 / n
WEAKEST = 0.2
BLOCK = 2

Replace = Callable[[Tensor, int, torch.Generator], Tensor]


@dataclass(frozen=True)
class Walks:
    """How latents are corrupted.

    Attributes:
        foreign: whether half of the outlines are filled with pieces of another image of the batch, all others with noise.
    """

    foreign: bool

    def __call__(self, healthy: Tensor, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return sqrt(1 - m) y_1 + sqrt(m) r of latents y_1 (B, L, h, w) with brains (B, 1, h, w) bool; m is 0 outside."""
        corrupted = healthy.clone()
        for index, cells in enumerate(brain[:, 0].cpu().numpy()):
            strength = torch.zeros(cells.shape)
            filling = torch.zeros(healthy.shape[1:])
            for outline in draw_outlines(cells, generator):
                new = torch.from_numpy(outline) & (strength == 0)  # the earlier of two outlines wins
                strength[new] = WEAKEST + (1 - WEAKEST) * float(torch.rand((), generator=generator))
                filling = torch.where(new, self._replacement(healthy, index, generator), filling)
            corrupted[index] = mixed(healthy[index], filling.to(healthy), strength.to(healthy))
        return corrupted

    def _replacement(self, healthy: Tensor, index: int, generator: torch.Generator) -> Tensor:
        """Draw what fills an outline of an image, (L, h, w)."""
        coin = float(torch.rand((), generator=generator))
        if self.foreign and len(healthy) > 1 and coin < 0.5:
            other = (index + 1 + int(torch.randint(len(healthy) - 1, (), generator=generator))) % len(healthy)
            return shuffled(healthy[other].cpu().float(), generator)
        return coloured_noise(healthy.shape[1:], generator)


def mixed(healthy: Tensor, filling: Tensor, strength: Tensor) -> Tensor:
    """Return sqrt(1 - m) y_1 + sqrt(m) r, whose variance is that of both if they are independent."""
    return (1 - strength).sqrt() * healthy + strength.sqrt() * filling


def coloured_noise(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw sqrt(alpha) c + sqrt(1 - alpha) n, (L, h, w): c one normal number a channel, n one a cell, alpha ~ U(0, 1)."""
    alpha = torch.rand((), generator=generator)
    colour = torch.randn((shape[0], 1, 1), generator=generator)
    return alpha.sqrt() * colour + (1 - alpha).sqrt() * torch.randn(shape, generator=generator)


def shuffled(latents: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror and roll latents (L, h, w) at random and shuffle their blocks of 2 x 2 cells; an odd last row or column stays."""
    flips = [axis for axis in (1, 2) if torch.rand((), generator=generator) < 0.5]
    shifts = [int(torch.randint(side, (), generator=generator)) for side in latents.shape[1:]]
    result = torch.roll(latents.flip(flips), shifts, dims=(1, 2)).clone()
    rows, columns = (side // BLOCK for side in latents.shape[1:])
    whole = result[:, : rows * BLOCK, : columns * BLOCK]
    blocks = whole.unflatten(2, (columns, BLOCK)).unflatten(1, (rows, BLOCK)).transpose(2, 3).flatten(1, 2)
    blocks = blocks[:, torch.randperm(rows * columns, generator=generator)].unflatten(1, (rows, columns))
    result[:, : rows * BLOCK, : columns * BLOCK] = blocks.transpose(2, 3).flatten(1, 2).flatten(2, 3)
    return result


def draw_outlines(brain: np.ndarray, generator: torch.Generator) -> list[np.ndarray]:
    """Draw the outlines of one image, none to four (h, w) bool, in the brain (h, w) bool but for what they enclose."""
    places = np.argwhere(brain)
    empty, which = torch.rand(2, generator=generator).tolist()
    if not len(places) or empty < EMPTY_SHARE:
        return []
    likely = np.cumsum([1 / number for number in range(1, len(LONGEST) + 1)])
    number = int(np.searchsorted(likely / likely[-1], which, side="right")) + 1
    longest = max(1, round(LONGEST[number - 1] * brain.size / PUBLISHED_CELLS))
    return [filled(draw_walk(brain, places, longest, generator), brain.shape) for _ in range(number)]


def draw_walk(brain: np.ndarray, places: np.ndarray, longest: int, generator: torch.Generator) -> np.ndarray:
    """Draw a walk over the cells of a brain: (N, 2) rows and columns, N from 1 to `longest`, short walks more often."""
    weights = 10 - 9 * torch.arange(longest, dtype=torch.float64) / longest
    steps = int(torch.multinomial(weights, 1, generator=generator))
    row, column = places[int(torch.randint(len(places), (), generator=generator))].tolist()
    visited = [(row, column)]
    for down, across in torch.randint(-1, 2, (steps, 2), generator=generator).tolist():
        r, c = row + down, column + across
        if 0 <= r < brain.shape[0] and 0 <= c < brain.shape[1] and brain[r, c]:
            row, column = r, c
            visited.append((row, column))
    return np.array(visited)


def filled(walk: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the cells (h, w) of a closed walk (N, 2): visited, on the line from its end to its start, or enclosed (even-odd)."""
    cells = np.zeros(shape, dtype=bool)
    cells[tuple(walk.T)] = True
    ends = np.linspace(walk[-1], walk[0], int(np.abs(walk[-1] - walk[0]).max()) + 1).round().astype(int)
    cells[tuple(ends.T)] = True
    row, column = np.indices(shape)[..., None]
    (y_0, x_0), (y_1, x_1) = walk.T, np.roll(walk, -1, axis=0).T
    crosses = (y_0 <= row) != (y_1 <= row)  # a ray along the row, half-open at the ends of an edge
    where = x_0 + (row - y_0) * (x_1 - x_0) / np.where(y_1 == y_0, 1, y_1 - y_0)
    return cells | ((crosses & (column < where)).sum(axis=-1) % 2 == 1)
