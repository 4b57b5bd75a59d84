"""Painting the inside of a mask anew with a diffusion model, so that it fits to its surroundings.

Source: Lugmayr et al. 2022 (RePaint, arXiv 2201.09865), algorithm 1, from an image instead of from noise as in AutoDDPM (Bercea
et al. 2023, arXiv 2305.19643).
"""

from __future__ import annotations

import torch
from torch import Tensor

from madad.models.diffusion.noise_chain import NoiseChain


def repainted(chain: NoiseChain, x: Tensor, begun: Tensor, mask: Tensor, rounds: int, generator: torch.Generator) -> Tensor:
    """Paint images inside their masks.

    Args:
        chain: the levels, whose last one hides what is painted over.
        x: images (B, 1, H, W) in [-1, 1], kept outside the masks.
        begun: in the shape of x, what painting starts from.
        mask: in the shape of x, bool.
        rounds: times that every level is walked; between them the image goes back up by one level.
        generator: CPU generator.

    Returns:
        in the shape of x, equal to it outside the masks.
    """
    y = chain.noised(begun, len(chain.levels) - 1, chain.noise(x, generator))
    for index in chain.backwards():
        for left in reversed(range(rounds if index else 1)):
            painted, _ = chain.step(y, index, generator)
            y = torch.where(mask, painted, chain.noised(x, index - 1, chain.noise(x, generator)))
            if left:
                beta = float(chain.levels.betas[index])
                y = (1 - beta) ** 0.5 * y + beta**0.5 * chain.noise(x, generator)
    return y
