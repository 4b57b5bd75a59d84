"""Denoising diffusion conditioned on a code of the slice (cDDPM, Behrendt et al. 2023, 2025).

Behrendt et al. 2025, Computers in Biology and Medicine 186:109660, arXiv 2312.04215.

1. An encoder turns the clean slice into a vector c, too short for a copy of the slice, long enough for its contrast.
2. Training on healthy slices: draw t uniformly, x_t = sqrt(alpha-bar_t) x_0 + sqrt(1 - alpha-bar_t) n, n simplex noise.
3. A U-Net predicts x_0 from x_t, t and c; encoder and U-Net learn together from the mean of |x_0' - x_0| over the whole slice.
4. Test: c once per slice, noise at three fixed levels (t = 250, 500 and 750 of 1000), one pass of the U-Net each.
   The mean of the three is the pseudo-healthy slice.
5. Map: |x - x'| inside the brain.
6. Optional: the encoder starts from weights that SparK pre-trained, its last layer from scratch.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from madad.core.errors import UserError
from madad.core.interfaces import Batch
from madad.models.diffusion import sampling
from madad.models.diffusion.forward import to_signed
from madad.models.diffusion.one_step import Estimate, OneStepDiffusion
from madad.models.networks.resnet import ResNetEncoder, transfer
from madad.models.networks.tensor_layout import in_passes
from madad.models.networks.unet import UNet


class Pretrained(Protocol):
    """What the part `pretraining` offers, such as `madad.models.components.spark.SparK`."""

    encoder: ResNetEncoder


class CDDPM(OneStepDiffusion):
    """One-step x_0 predictor with an encoded condition; hyper-parameters as in the card.

    Args:
        pretraining: a trained part whose encoder is copied, or None to start at random.
        shared: the hyper-parameters of `OneStepDiffusion`.
    """

    def __init__(
        self,
        *,
        pretraining: Pretrained | None,
        condition_channels: int,
        encoder_depth: int,
        encoder_width: int,
        encoder_stages: int,
        drop_path: float,
        **shared: Any,
    ) -> None:
        super().__init__("cddpm", **shared)
        # As wide as the embedding of the noise level, unless set.
        condition_channels = condition_channels or 4 * self.unet_arguments["base_channels"]
        self.encoder = ResNetEncoder(
            depth=encoder_depth, width=encoder_width, stages=encoder_stages, outputs=condition_channels, drop_path=drop_path
        )
        if pretraining is not None:
            _check_alike(self.encoder, pretraining.encoder)
            transfer(pretraining.encoder, self.encoder)
        self.unet = UNet(**self.unet_arguments, condition_channels=condition_channels)

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the mean error of x_0 over the slices (B, 1, H, W), background included (arXiv 2312.04215, released code)."""
        x_0 = to_signed(batch["image"])
        x_t, t = self.add_random_noise(x_0, generator)
        condition = self.encoder(batch["image"])  # in [0, 1], as released
        return {"loss": self.loss(self.unet(x_t, t, condition), x_0)}

    def estimator(self, volume: Tensor) -> Estimate:
        """Return what predicts the clean slices of a volume (S, 1, H, W), whose codes are computed once."""
        code = in_passes(self.encoder, self.slices_per_pass, volume)

        def estimate(x_0: Tensor, noise: Tensor, t: int) -> Tensor:
            codes = code.repeat(len(x_0) // len(code), 1)
            return sampling.one_step(self.unet, x_0, noise, t, self.alphas_cumprod, self.slices_per_pass, signals=[codes])

        return estimate


def _check_alike(encoder: ResNetEncoder, pretrained: ResNetEncoder) -> None:
    differing = [key for key in encoder.sizes if encoder.sizes[key] != pretrained.sizes[key]]
    if differing:
        lines = (f"{key} is {encoder.sizes[key]}, but {pretrained.sizes[key]} in its pre-training" for key in differing)
        raise UserError(f"cddpm.parameters: {'; '.join(lines)}; set the same in the parameters of both")
