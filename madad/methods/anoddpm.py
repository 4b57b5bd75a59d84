"""Diffusion to one level and a chain of steps back (AnoDDPM).

Wyatt, Leach, Schmon, Willcocks 2022, CVPR workshops, doi:10.1109/CVPRW56347.2022.00080.

1. A U-Net learns from healthy slices to predict the noise, simplex noise in the paper (the part `noise_predictor`).
2. Test: the slice is noised to one level and walked back step by step, with new noise of the same law at every step.
3. Map: (x - x')^2 in the brain, of intensities in [-1, 1].

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from madad.models.diffusion.forward import from_signed, to_signed
from madad.models.diffusion.noise_chain import ChainMethod


class AnoDDPM(ChainMethod):
    """Chain of a trained predictor; hyper-parameters as in the card.

    Args:
        shared: the hyper-parameters of `ChainMethod`.
    """

    def __init__(self, **shared: Any) -> None:
        super().__init__("anoddpm", **shared, largest_variance=True)

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the end of the chain (S, 1, H, W) in [0, 1]."""
        return from_signed(self.chain.restored(to_signed(volume), generator))

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the squared difference of intensities in [-1, 1] in the brain (S, H, W); Wyatt et al. 2022, section 3."""
        if reconstruction is None:
            raise ValueError("the map needs the reconstruction")
        return (2 * (volume - reconstruction)).square().mean(dim=1) * brain
