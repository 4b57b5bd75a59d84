"""Latent diffusion of healthy images, without a condition: the plain baseline of CondDiff.

Rombach et al. 2022, arXiv 2112.10752; for brain MRI Pinaya et al. 2022, arXiv 2206.03461; in the form in which Lawry Aguila
et al. 2025, arXiv 2506.10233, compare it.

1. A trained autoencoder gives latents z_0 of a healthy image.
2. Training: draw t uniformly, z_t = sqrt(alpha-bar_t) z_0 + sqrt(1 - alpha-bar_t) n, n Gaussian. The U-Net predicts n and
   the variance of the step.
3. Loss: squared error of n + the term of the variational bound at t, for the variance alone.
4. Test: the latents of the image itself, z_x, are noised to t = 250 of 1000 and walked back step by step.
5. Map: |x - x'| in the brain, the smallest over displacements of x' by a voxel or two.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from madad.core.interfaces import Batch
from madad.models.diffusion import ancestral, sampling, schedules
from madad.models.diffusion.forward import add_noise, draw_timesteps
from madad.models.diffusion.residuals import shift_robust_residual
from madad.models.networks.adagn_unet import AdaGNUNet
from madad.models.networks.latent_space import LatentSpace
from madad.models.networks.tensor_layout import in_passes


class LDM(nn.Module):
    """Denoiser of latents; hyper-parameters as in the card.

    Args:
        autoencoder: a trained `madad.core.interfaces.Autoencoder`.
    """

    def __init__(
        self,
        *,
        autoencoder: nn.Module,
        spatial_dims: int,
        base_channels: int,
        channel_multipliers: list[int],
        blocks_per_level: int,
        norm_groups: int,
        schedule: str,
        num_train_timesteps: int,
        test_timestep: int,
        sampling_steps: int,
        residual_shift: int,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        levels, latent_channels = len(channel_multipliers), autoencoder.latent_channels
        self.latents = LatentSpace(
            autoencoder, spatial_dims=spatial_dims, levels=levels, slices_per_pass=slices_per_pass, method="ldm"
        )
        self.unet = AdaGNUNet(
            spatial_dims=spatial_dims,
            in_channels=latent_channels,
            out_channels=2 * latent_channels,
            base_channels=base_channels,
            channel_multipliers=channel_multipliers,
            blocks_per_level=blocks_per_level,
            norm_groups=norm_groups,
        )
        self.alphas_cumprod = schedules.alphas_cumprod(schedule, num_train_timesteps)
        self.chain = ancestral.chain(self.alphas_cumprod)
        (start,) = sampling.level_indices([test_timestep], num_train_timesteps, "ldm.parameters.test_timestep")
        timesteps = ancestral.respaced(start, sampling_steps, "ldm.parameters.sampling_steps")
        self.test_chain = ancestral.chain(self.alphas_cumprod, timesteps)
        self.residual_shift = residual_shift
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Hybrid loss on latents of healthy images, (B, 1, H, W) or (B, 1, S, H, W)."""
        z_0 = self.latents.encode(batch["image"])
        t = draw_timesteps(len(z_0), self.alphas_cumprod, generator)
        noise = ancestral.gaussian_like(z_0, generator)
        z_t = add_noise(z_0, noise, t, self.alphas_cumprod)
        answer = self.unet(z_t, t.to(z_0.device))
        return ancestral.hybrid_loss(answer, z_0, z_t, noise, t, self.chain)

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the networks' error; nothing is clipped."""
        z_x = self.latents.encode_volume(volume)
        denoise = partial(in_passes, self.unet, self.slices_per_pass)
        return self.latents.decode_volume(ancestral.denoise_from(denoise, z_x, self.test_chain, generator), len(volume))

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Residual in the brain that forgives displacements (S, H, W)."""
        return shift_robust_residual(volume, reconstruction, self.residual_shift, self.latents.spatial_dims) * brain
