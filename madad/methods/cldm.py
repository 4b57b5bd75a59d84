"""Latent diffusion that sees the image with its lesions beside the noisy one: CondDiff with concatenation instead of AdaGN.

Rombach et al. 2022, arXiv 2112.10752, section 4.3.2, for the concatenation; in the form in which Lawry Aguila et al. 2025,
arXiv 2506.10233, compare it (cLDM).

1. A trained autoencoder gives latents: z_0 of a healthy image, z_p of the same image with a synthetic lesion.
2. Training: draw t uniformly, z_t = sqrt(alpha-bar_t) z_0 + sqrt(1 - alpha-bar_t) n, n Gaussian. The U-Net sees z_t and z_p
   as channels of one image and predicts n and the variance of the step.
3. Loss: squared error of n + the term of the variational bound at t, for the variance alone.
4. Test: the latents of the image itself, z_x, are noised to t = 250 of 1000 and walked back step by step, beside z_x.
5. Map: |x - x'| in the brain, the smallest over displacements of x' by a voxel or two.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from madad.core import draws
from madad.core.interfaces import Batch
from madad.models.diffusion import ancestral
from madad.models.diffusion.latent import LatentDiffusion
from madad.models.networks.adagn_unet import AdaGNUNet
from madad.models.networks.tensor_layout import in_passes


class CLDM(LatentDiffusion):
    """Denoiser of latents guided by an image; hyper-parameters as in the card.

    Args:
        shared: the trained autoencoder and the hyper-parameters of `LatentDiffusion`.
    """

    def __init__(self, **shared: Any) -> None:
        super().__init__("cldm", **shared)
        self.unet = AdaGNUNet(in_channels=2 * self.latents.channels, **self.unet_arguments)

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the hybrid loss on latents of healthy images, guided by those with lesions, (B, 1, H, W) or (B, 1, S, H, W)."""
        z_0, z_p = self.latents.encode(batch["healthy"]), self.latents.encode(batch["image"])
        z_t, noise, t = self.add_random_noise(z_0, generator)
        answer = self.unet(torch.cat([z_t, z_p], dim=1), draws.sent(t, z_0.device))
        return ancestral.hybrid_loss(answer, z_0, z_t, noise, t, self.chain)

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the networks' error; nothing is clipped."""
        z_x = self.latents.encode_volume(volume)

        def denoise(z_t: Tensor, t: Tensor) -> Tensor:
            return in_passes(self.unet, self.slices_per_pass, torch.cat([z_t, z_x], dim=1), t)

        return self.restore(denoise, z_x, len(volume), generator)
