"""The diffusion model that AnoDDPM, AutoDDPM and THOR share, trained once per cohort and sequence.

Ho et al. 2020, arXiv 2006.11239; for brain MRI Wyatt et al. 2022, doi:10.1109/CVPRW56347.2022.00080, and Bercea et al. 2023,
arXiv 2305.19643.

1. Training on healthy slices: draw t uniformly, x_t = sqrt(alpha-bar_t) x_0 + sqrt(1 - alpha-bar_t) n.
2. A U-Net predicts n from x_t and t; the loss is the squared error.
3. Methods walk back from a noisy slice step by step, with noise of the same law.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor, nn

from madad.core import draws
from madad.core.interfaces import Batch
from madad.models.diffusion import schedules
from madad.models.diffusion.forward import add_noise, draw_timesteps, to_signed
from madad.models.diffusion.noise import NoiseLaw
from madad.models.networks.unet import UNet, UNetSizes


class NoisePredictor(nn.Module):
    """A `madad.models.diffusion.noise_chain.Predictor`; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        scale_shift: bool,
        schedule: str,
        num_train_timesteps: int,
        noise_kind: str,
        noise_octaves: int,
        noise_persistence: float,
        **sizes: Unpack[UNetSizes],
    ) -> None:
        super().__init__()
        self.unet = UNet(in_channels=1, out_channels=1, scale_shift=scale_shift, **sizes)
        self.alphas_cumprod = schedules.alphas_cumprod(schedule, num_train_timesteps)
        self.noise_law = NoiseLaw(noise_kind, False, noise_octaves, noise_persistence, 1.0)

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the squared error of the noise of slices (B, 1, H, W), background included; Ho et al. 2020, eq. 14."""
        x_0 = to_signed(batch["image"])
        t = draw_timesteps(len(x_0), self.alphas_cumprod, generator)
        noise = self.noise_law(x_0, generator)
        predicted = self.predict(add_noise(x_0, noise, t, self.alphas_cumprod), draws.sent(t, x_0.device))
        return {"loss": (predicted - noise).square().mean()}

    def predict(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Predict the noise (B, 1, H, W) of slices x_t (B, 1, H, W) in [-1, 1], up to noise, at levels t (B,)."""
        return self.unet(x_t, t)
