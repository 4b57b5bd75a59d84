"""Diffusion bridge from a patient's image to its healthy twin, learnt on synthetic lesions (after Lawry Aguila et al. 2025).

The idea is that of Lawry Aguila, Liu, Crespo Aguirre, Iglesias 2025, arXiv 2510.13684; the bridge that of Zhou, Lou, Khanna,
Ermon 2024, "Denoising Diffusion Bridge Models", ICLR, arXiv 2309.16948.

1. A pair: x_0 a healthy slice, x_1 the same with a synthetic lesion. Draw t uniformly; x_t = a x_1 + b x_0 + sqrt(c) n lies
   between them, with no noise at either end.
2. A U-Net sees x_t, x_1 and t and predicts x_0, scaled so that its answer has variance 1; the loss is its squared error.
3. Test: the patient's slice is x_1; from there walk back to t = 0 by the sampler of the bridge.
4. Map: |x - x'| in the brain, the smallest over displacements of x' by a voxel or two.

Slices as they are, or latents where an autoencoder is given. Deviations: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor, nn

from madad.core import draws
from madad.core.interfaces import Autoencoder, Batch
from madad.models.diffusion import bridge
from madad.models.diffusion.ancestral import gaussian_like
from madad.models.diffusion.residuals import shift_robust_residual
from madad.models.networks.latent_space import LatentSpace
from madad.models.networks.tensor_layout import in_passes
from madad.models.networks.unet import UNet, UNetSizes


class DDBM(nn.Module):
    """Predictor of the healthy end of a bridge; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        autoencoder: Autoencoder | None,
        scale_shift: bool,
        sigma: float,
        correlation: float,
        sampling_steps: int,
        churn: float,
        guidance: float,
        residual_shift: int,
        slices_per_pass: int,
        **sizes: Unpack[UNetSizes],
    ) -> None:
        super().__init__()
        self.space: bridge.ImageSpace | LatentSpace = bridge.ImageSpace()
        if autoencoder is not None:
            levels = len(sizes["channel_multipliers"])
            self.space = LatentSpace(autoencoder, spatial_dims=2, levels=levels, slices_per_pass=slices_per_pass, method="ddbm")
        self.clipped = autoencoder is None
        channels = self.space.channels
        self.unet = UNet(in_channels=2 * channels, out_channels=channels, scale_shift=scale_shift, **sizes)
        self.scales = bridge.Scales(sigma, correlation)
        self.sampling_steps, self.churn, self.guidance = sampling_steps, churn, guidance
        self.residual_shift = residual_shift
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the error of x_0 over pairs of slices (B, 1, H, W), weighted by 1 / c_out^2; arXiv 2309.16948, eq. 12."""
        x_0, x_1 = self.space.encode(batch["healthy"]), self.space.encode(batch["image"])
        t = bridge.T_LEAST + (bridge.T_MOST - bridge.T_LEAST) * torch.rand(len(x_0), generator=generator, dtype=torch.float64)
        a, b, c = (column(weight, x_0) for weight in bridge.weights(t))
        x_t = a * x_1 + b * x_0 + c.sqrt() * gaussian_like(x_0, generator)
        _, c_skip, c_out = (column(scale, x_0) for scale in self.scales.of(t))
        wanted = (x_0 - c_skip * x_t) / c_out
        return {"loss": (self._answer(x_t, x_1, t) - wanted).square().mean()}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the networks' error."""
        x_1 = self.space.encode_volume(volume)

        def denoise(x_t: Tensor, t: Tensor) -> Tensor:
            return in_passes(self.estimate, self.slices_per_pass, x_t, x_1, t.expand(len(x_t)))

        x_0 = bridge.walked_back(denoise, x_1, self.sampling_steps, self.churn, self.guidance, generator)
        return self.space.decode_volume(x_0, len(volume))

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the residual in the brain (S, H, W), the smallest over the displacements that are forgiven."""
        return shift_robust_residual(volume, reconstruction, self.residual_shift, 2) * brain

    def estimate(self, x_t: Tensor, x_1: Tensor, t: Tensor) -> Tensor:
        """Predict x_0 (B, C, H, W) from x_t, x_1 and times t (B,); slices stay in [-1, 1], latents have no bounds."""
        _, c_skip, c_out = (column(scale, x_t) for scale in self.scales.of(t))
        x_0 = c_skip * x_t + c_out * self._answer(x_t, x_1, t)
        return x_0.clamp(-1, 1) if self.clipped else x_0

    def _answer(self, x_t: Tensor, x_1: Tensor, t: Tensor) -> Tensor:
        c_in, _, _ = self.scales.of(t)
        times = draws.sent(bridge.TIME_SCALE * t.log(), x_t.device, torch.float32)
        return self.unet(torch.cat([column(c_in, x_t) * x_t, x_1], dim=1), times).float()


def column(values: Tensor, images: Tensor) -> Tensor:
    """Return one number for each image (B,) as (B, 1, 1, 1), in the type and on the device of the images."""
    return draws.like(values, images).view(-1, 1, 1, 1)
