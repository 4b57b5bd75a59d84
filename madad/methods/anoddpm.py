"""Diffusion to one level and a chain of steps back (AnoDDPM).

Wyatt, Leach, Schmon, Willcocks 2022, CVPR workshops, doi:10.1109/CVPRW56347.2022.00080.

1. A U-Net learns from healthy slices to predict the noise, simplex noise in the paper (the part `noise_predictor`).
2. Test: the slice is noised to one level and walked back step by step, with new noise of the same law at every step.
3. Map: (x - x')^2 in the brain, of intensities in [-1, 1].

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from madad.core.interfaces import Batch
from madad.models.diffusion import noise_chain
from madad.models.diffusion.forward import from_signed, to_signed


class AnoDDPM(nn.Module):
    """Chain of a trained predictor; hyper-parameters as in the card."""

    def __init__(
        self, *, predictor: noise_chain.Predictor, test_timestep: int, sampling_steps: int, slices_per_pass: int
    ) -> None:
        super().__init__()
        self.predictor = predictor
        key = "anoddpm.parameters: test_timestep and sampling_steps"
        self.chain = noise_chain.build(predictor, test_timestep, sampling_steps, key, slices_per_pass, largest_variance=True)

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return 0: the predictor is a trained part."""
        return {"loss": batch["image"].new_zeros(())}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the end of the chain (S, 1, H, W) in [0, 1]."""
        return from_signed(self.chain.restored(to_signed(volume), generator))

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the squared difference of intensities in [-1, 1] in the brain (S, H, W); Wyatt et al. 2022, section 3."""
        if reconstruction is None:
            raise ValueError("the map needs the reconstruction")
        return (2 * (volume - reconstruction)).square().mean(dim=1) * brain
