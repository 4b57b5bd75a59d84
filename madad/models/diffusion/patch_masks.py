"""Which latent cells stay clean while the others are diffused: random patches inside the brain, after MAD-AD.

Source: Beizaee et al. 2025 (MAD-AD, arXiv 2502.16943), the random masking of its forward process, and its released code.
A mask is true where a cell is kept clean.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def draw_patch(sizes: Sequence[int], probabilities: Sequence[float], generator: torch.Generator) -> tuple[int, int]:
    """Draw the rows and columns of a patch, independently.

    Args:
        sizes: to choose from, in cells.
        probabilities: of the sizes, relative to one another.
    """
    weights = torch.tensor(probabilities, dtype=torch.float32)
    rows, columns = torch.multinomial(weights, 2, replacement=True, generator=generator).tolist()
    return sizes[rows], sizes[columns]


def keep_patches(shares: Tensor, grid: tuple[int, int], patch: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Draw masks in which a share of the patches, rounded up, is diffused.

    Args:
        shares: (B,) in [0, 1], of patches to diffuse.
        grid: rows and columns of cells.
        patch: rows and columns of a patch; they divide the grid.

    Returns:
        (B, 1, h, w) bool on the CPU.
    """
    rows, columns = grid[0] // patch[0], grid[1] // patch[1]
    kept = (rows * columns * (1 - shares)).floor()
    ranks = torch.rand(len(shares), rows * columns, generator=generator).argsort(dim=1).argsort(dim=1)
    patches = (ranks < kept[:, None]).view(-1, 1, rows, columns)
    return patches.repeat_interleave(patch[0], dim=2).repeat_interleave(patch[1], dim=3)


def diffusible(brain: Tensor, downsampling: int, block: int, min_share: float) -> Tensor:
    """Return the cells that may be diffused: those in blocks that are nearly all brain.

    Args:
        brain: (B, 1, H, W) bool.
        downsampling: voxels a side of a cell.
        block: cells a side of a block; it divides the grid of cells.
        min_share: of a block's voxels that must be brain.

    Returns:
        (B, 1, h, w) bool.
    """
    blocks = functional.avg_pool2d(brain.float(), block * downsampling) >= min_share
    return blocks.repeat_interleave(block, dim=2).repeat_interleave(block, dim=3)
