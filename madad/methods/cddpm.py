"""Denoising diffusion that is told what the slice looks like (cDDPM, Behrendt et al. 2023, 2025).

Behrendt et al. 2025, Computers in Biology and Medicine 186:109660, arXiv 2312.04215.

1. An encoder turns the clean slice into a vector c, too short for a copy of the slice, long enough for its contrast.
2. Training on healthy slices: draw t uniformly, x_t = sqrt(alpha-bar_t) x_0 + sqrt(1 - alpha-bar_t) n, n simplex noise.
3. A U-Net predicts x_0 from x_t, t and c; encoder and U-Net learn together from the mean of |x_0' - x_0| over the whole slice.
4. Test: c once a slice, noise at three fixed levels (t = 250, 500 and 750 of 1000), one pass of the U-Net each.
   The mean of the three is the pseudo-healthy slice.
5. Map: |x - x'| inside the brain.
6. Optional: the encoder starts from weights that SparK pre-trained, its last layer from scratch.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from madad.core.errors import UserError
from madad.core.interfaces import Batch
from madad.models.diffusion import sampling, schedules
from madad.models.diffusion.forward import add_noise, draw_timesteps, from_signed, to_signed
from madad.models.diffusion.losses import LOSSES
from madad.models.diffusion.noise import NoiseLaw
from madad.models.diffusion.residuals import residual
from madad.models.networks.resnet import ResNetEncoder, transfer
from madad.models.networks.unet import UNet


class CDDPM(nn.Module):
    """One-step x_0 predictor with an encoded condition; hyper-parameters as in the card.

    Args:
        pretraining: a trained `madad.models.components.spark.SparK`, whose encoder is copied, or None to start at random.
    """

    def __init__(
        self,
        *,
        pretraining: nn.Module | None,
        base_channels: int,
        channel_multipliers: list[int],
        blocks_per_level: int,
        norm_groups: int,
        scale_shift: bool,
        condition_channels: int,
        encoder_depth: int,
        encoder_width: int,
        encoder_stages: int,
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
        # As wide as the embedding of the noise level, unless set.
        condition_channels = condition_channels or 4 * base_channels
        self.encoder = ResNetEncoder(depth=encoder_depth, width=encoder_width, stages=encoder_stages, outputs=condition_channels)
        if pretraining is not None:
            _check_alike(self.encoder, pretraining.encoder)
            transfer(pretraining.encoder, self.encoder)
        self.unet = UNet(
            in_channels=1,
            out_channels=1,
            base_channels=base_channels,
            channel_multipliers=channel_multipliers,
            blocks_per_level=blocks_per_level,
            norm_groups=norm_groups,
            scale_shift=scale_shift,
            condition_channels=condition_channels,
        )
        self.alphas_cumprod = schedules.alphas_cumprod(schedule, num_train_timesteps)
        self.test_indices = sampling.level_indices(test_timesteps, num_train_timesteps, "cddpm.parameters.test_timesteps")
        self.loss = LOSSES[loss]
        self.noise_law = NoiseLaw(noise_kind, noise_shared, noise_octaves, noise_persistence, noise_scale)
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Mean error of x_0 over the slices (B, 1, H, W), background included (arXiv 2312.04215, released code)."""
        x_0 = to_signed(batch["image"])
        t = draw_timesteps(len(x_0), self.alphas_cumprod, generator)
        x_t = add_noise(x_0, self.noise_law(x_0, generator), t, self.alphas_cumprod)
        condition = self.encoder(batch["image"])  # in [0, 1], as released
        return {"loss": self.loss(self.unet(x_t, t.to(x_0.device), condition), x_0)}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the network's error; nothing is clipped."""
        x_0 = to_signed(volume)
        fields = [self.noise_law(x_0, generator) for _ in self.test_indices]
        passes = zip(*(images.split(self.slices_per_pass) for images in (volume, x_0, *fields)), strict=True)
        return from_signed(torch.cat([self._reconstruct(*slices) for slices in passes]))

    def _reconstruct(self, slices: Tensor, x_0: Tensor, *fields: Tensor) -> Tensor:
        """Mean of the estimates from all noise levels, for slices (B, 1, H, W) that go through the network together."""
        denoise = partial(self.unet, condition=self.encoder(slices))
        estimates = (
            sampling.one_step(denoise, x_0, n, t, self.alphas_cumprod, len(x_0))
            for t, n in zip(self.test_indices, fields, strict=True)
        )
        return sampling.mean(estimates)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Residual |x - x'| in the brain (S, H, W)."""
        return residual(volume, reconstruction) * brain


def _check_alike(encoder: ResNetEncoder, pretrained: ResNetEncoder) -> None:
    differing = [key for key in encoder.sizes if encoder.sizes[key] != pretrained.sizes[key]]
    if differing:
        lines = (f"{key} is {encoder.sizes[key]}, but {pretrained.sizes[key]} in its pre-training" for key in differing)
        raise UserError(f"cddpm.parameters: {'; '.join(lines)}; set the same in the parameters of both")
