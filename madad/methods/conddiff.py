"""Latent diffusion guided by the image with its lesions, learnt on synthetic ones (CondDiff, Lawry Aguila et al. 2025).

Lawry Aguila, Liu, Puonti, Iglesias 2025, DGM4MICCAI, arXiv 2506.10233.

1. A trained autoencoder gives latents: z_0 of a healthy image, z_p of the same image with a synthetic lesion.
2. An encoder turns z_p into a vector c, row by row; encoder and U-Net learn together.
3. Training: draw t uniformly, z_t = sqrt(alpha-bar_t) z_0 + sqrt(1 - alpha-bar_t) n, n Gaussian. The U-Net, whose features t
   and then c scale and shift, predicts n and the variance of the step.
4. Loss: squared error of n + the term of the variational bound at t, for the variance alone.
5. Test: the latents of the image itself, z_x, are noised to t = 250 of 1000 and walked back step by step, with c from z_x.
6. Map: |x - x'| in the brain, the smallest over displacements of x' by a voxel or two.

In 2D the rows of a latent slice take the role of the planes of the first axis in 3D. Deviations: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from madad.core import draws
from madad.core.errors import UserError
from madad.core.interfaces import Batch
from madad.models.diffusion import ancestral
from madad.models.diffusion.latent import LatentDiffusion
from madad.models.networks.adagn_unet import AdaGNUNet
from madad.models.networks.semantic_encoder import SemanticEncoder
from madad.models.networks.tensor_layout import in_passes


class CondDiff(LatentDiffusion):
    """Denoiser of latents guided by a vector; hyper-parameters as in the card.

    Args:
        shared: the trained autoencoder and the hyper-parameters of `LatentDiffusion`.
    """

    def __init__(
        self,
        *,
        encoder_base_channels: int,
        encoder_channel_multipliers: list[int],
        condition_channels: int,
        latent_rows: int,
        **shared: Any,
    ) -> None:
        super().__init__("conddiff", **shared)
        self.encoder = SemanticEncoder(
            spatial_dims=self.latents.spatial_dims,
            in_channels=self.latents.channels,
            base_channels=encoder_base_channels,
            channel_multipliers=encoder_channel_multipliers,
            norm_groups=self.unet_arguments["norm_groups"],
            outputs=condition_channels,
        )
        self.unet = AdaGNUNet(
            in_channels=self.latents.channels, condition_channels=condition_channels * latent_rows, **self.unet_arguments
        )
        self.latent_rows = latent_rows

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the hybrid loss on latents of healthy images, guided by those with lesions, (B, 1, H, W) or (B, 1, S, H, W)."""
        z_0, z_p = self.latents.encode(batch["healthy"]), self.latents.encode(batch["image"])
        z_t, noise, t = self.add_random_noise(z_0, generator)
        answer = self.unet(z_t, draws.sent(t, z_0.device), self._condition(z_p))
        return ancestral.hybrid_loss(answer, z_0, z_t, noise, t, self.chain)

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the networks' error; nothing is clipped."""
        z_x = self.latents.encode_volume(volume)
        condition = in_passes(self._condition, self.slices_per_pass, z_x)

        def denoise(z_t: Tensor, t: Tensor) -> Tensor:
            return in_passes(self.unet, self.slices_per_pass, z_t, t, condition)

        return self.restore(denoise, z_x, len(volume), generator)

    def _condition(self, z: Tensor) -> Tensor:
        """Return the condition (B, condition_channels * rows) of latents (B, L, rows, …); absent rows are 0."""
        absent = self.latent_rows - z.shape[2]
        if absent < 0:
            raise UserError(
                f"conddiff.parameters.latent_rows: {self.latent_rows}, but the autoencoder gives latents of {z.shape[2]} rows "
                f"for these images; set it to {z.shape[2]} and train again"
            )
        return self.encoder(functional.pad(z, [0, 0] * (z.ndim - 3) + [0, absent]))
