"""Denoising diffusion with simplex noise and a one-step reconstruction (DDPM baseline of Behrendt et al. 2023).

Wyatt et al. 2022, AnoDDPM, doi:10.1109/CVPRW56347.2022.00080; Behrendt et al. 2023, arXiv 2303.03758.

1. Training on healthy slices: draw t uniformly, x_t = sqrt(alpha-bar_t) x_0 + sqrt(1 - alpha-bar_t) n, n simplex noise.
2. A U-Net predicts x_0 from x_t and t; the loss is the mean of |x_0' - x_0| over the whole slice.
3. Test: noise at one fixed level (t = 500 of 1000), one pass of the network gives the pseudo-healthy slice.
4. With several levels the reconstructions are averaged, each with noise of its own.
5. Map: |x - x'| inside the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from madad.core.interfaces import Batch
from madad.models.diffusion.forward import to_signed
from madad.models.diffusion.one_step import OneStepDiffusion
from madad.models.networks.unet import UNet


class DDPM(OneStepDiffusion):
    """One-step x_0 predictor; hyper-parameters as in the card.

    Args:
        shared: the hyper-parameters of `OneStepDiffusion`.
    """

    def __init__(self, **shared: Any) -> None:
        super().__init__("ddpm", **shared)
        self.unet = UNet(**self.unet_arguments)

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the mean error of x_0 over the slices (B, 1, H, W), background included (Behrendt et al. 2023, section 2)."""
        x_0 = to_signed(batch["image"])
        x_t, t = self.add_random_noise(x_0, generator)
        return {"loss": self.loss(self.unet(x_t, t), x_0)}
