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

import torch
from torch import Tensor, nn

from madad.core.interfaces import Batch
from madad.models.diffusion import sampling, schedules
from madad.models.diffusion.forward import add_noise, draw_timesteps, from_signed, to_signed
from madad.models.diffusion.losses import LOSSES
from madad.models.diffusion.noise import NoiseLaw
from madad.models.diffusion.residuals import residual
from madad.models.networks.unet import UNet


class DDPM(nn.Module):
    """One-step x_0 predictor; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        base_channels: int,
        channel_multipliers: list[int],
        blocks_per_level: int,
        norm_groups: int,
        scale_shift: bool,
        schedule: str,
        num_train_timesteps: int,
        test_timesteps: list[int],
        loss: str,
        noise_kind: str,
        noise_shared: bool,
        noise_octaves: int,
        noise_persistence: float,
        noise_scale: float,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        self.unet = UNet(
            in_channels=1,
            out_channels=1,
            base_channels=base_channels,
            channel_multipliers=channel_multipliers,
            blocks_per_level=blocks_per_level,
            norm_groups=norm_groups,
            scale_shift=scale_shift,
        )
        self.alphas_cumprod = schedules.alphas_cumprod(schedule, num_train_timesteps)
        self.test_indices = sampling.level_indices(test_timesteps, num_train_timesteps, "ddpm.parameters.test_timesteps")
        self.loss = LOSSES[loss]
        self.noise_law = NoiseLaw(noise_kind, noise_shared, noise_octaves, noise_persistence, noise_scale)
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Mean error of x_0 over the slices (B, 1, H, W), background included (Behrendt et al. 2023, section 2)."""
        x_0 = to_signed(batch["image"])
        t = draw_timesteps(len(x_0), self.alphas_cumprod, generator)
        x_t = add_noise(x_0, self.noise_law(x_0, generator), t, self.alphas_cumprod)
        return {"loss": self.loss(self.unet(x_t, t.to(x_0.device)), x_0)}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the network's error; nothing is clipped."""
        x_0 = to_signed(volume)
        fields = [self.noise_law(x_0, generator) for _ in self.test_indices]
        estimates = (
            sampling.one_step(self.unet, x_0, n, t, self.alphas_cumprod, self.slices_per_pass)
            for t, n in zip(self.test_indices, fields, strict=True)
        )
        return from_signed(sampling.mean(estimates))

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Residual |x - x'| in the brain (S, H, W)."""
        return residual(volume, reconstruction) * brain
