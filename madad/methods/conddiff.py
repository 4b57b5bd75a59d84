"""Latent diffusion guided by the image with its lesions, learnt on synthetic ones (CondDiff, Lawry Aguila et al. 2025).

Lawry Aguila, Liu, Puonti, Iglesias 2025, DGM4MICCAI, arXiv 2506.10233.

1. A trained autoencoder gives latents: z_0 of a healthy image, z_p of the same image with a synthetic lesion.
2. An encoder turns z_p into a vector c, row by row; encoder and U-Net learn together.
3. Training: draw t uniformly, z_t = sqrt(alpha-bar_t) z_0 + sqrt(1 - alpha-bar_t) n, n Gaussian. The U-Net, whose features t
   and then c scale and shift, predicts n and the variance of the step.
4. Loss: squared error of n + the term of the variational bound at t, for the variance alone.
5. Test: the latents of the image itself, z_x, are noised to t = 250 of 1000 and walked back step by step, with c from z_x.
6. Map: |x - x'| in the brain, the smallest over displacements of x' by a voxel or two.

In 2D, the rows of a latent slice are what the planes of the first axis are in 3D. Deviations: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from madad.core.errors import UserError
from madad.core.interfaces import Batch
from madad.models.diffusion import ancestral, sampling, schedules
from madad.models.diffusion.forward import add_noise, draw_timesteps
from madad.models.diffusion.residuals import shift_robust_residual
from madad.models.networks.adagn_unet import AdaGNUNet
from madad.models.networks.latent_space import LatentSpace
from madad.models.networks.semantic_encoder import SemanticEncoder
from madad.models.networks.tensor_layout import in_passes


class CondDiff(nn.Module):
    """Denoiser of latents guided by a vector; hyper-parameters as in the card.

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
        encoder_base_channels: int,
        encoder_channel_multipliers: list[int],
        condition_channels: int,
        latent_rows: int,
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
            autoencoder, spatial_dims=spatial_dims, levels=levels, slices_per_pass=slices_per_pass, method="conddiff"
        )
        self.encoder = SemanticEncoder(
            spatial_dims=spatial_dims,
            in_channels=latent_channels,
            base_channels=encoder_base_channels,
            channel_multipliers=encoder_channel_multipliers,
            norm_groups=norm_groups,
            outputs=condition_channels,
        )
        self.unet = AdaGNUNet(
            spatial_dims=spatial_dims,
            in_channels=latent_channels,
            out_channels=2 * latent_channels,
            base_channels=base_channels,
            channel_multipliers=channel_multipliers,
            blocks_per_level=blocks_per_level,
            norm_groups=norm_groups,
            condition_channels=condition_channels * latent_rows,
        )
        self.latent_rows = latent_rows
        self.alphas_cumprod = schedules.alphas_cumprod(schedule, num_train_timesteps)
        self.chain = ancestral.chain(self.alphas_cumprod)
        (start,) = sampling.level_indices([test_timestep], num_train_timesteps, "conddiff.parameters.test_timestep")
        timesteps = ancestral.respaced(start, sampling_steps, "conddiff.parameters.sampling_steps")
        self.test_chain = ancestral.chain(self.alphas_cumprod, timesteps)
        self.residual_shift = residual_shift
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Hybrid loss on latents of healthy images, guided by the images with lesions, (B, 1, H, W) or (B, 1, S, H, W)."""
        z_0, z_p = self.latents.encode(batch["healthy"]), self.latents.encode(batch["image"])
        t = draw_timesteps(len(z_0), self.alphas_cumprod, generator)
        noise = ancestral.gaussian_like(z_0, generator)
        z_t = add_noise(z_0, noise, t, self.alphas_cumprod)
        answer = self.unet(z_t, t.to(z_0.device), self._condition(z_p))
        return ancestral.hybrid_loss(answer, z_0, z_t, noise, t, self.chain)

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the networks' error; nothing is clipped."""
        z_x = self.latents.encode_volume(volume)
        condition = in_passes(self._condition, self.slices_per_pass, z_x)

        def denoise(z_t: Tensor, t: Tensor) -> Tensor:
            return in_passes(self.unet, self.slices_per_pass, z_t, t, condition)

        return self.latents.decode_volume(ancestral.denoise_from(denoise, z_x, self.test_chain, generator), len(volume))

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Residual in the brain that forgives displacements (S, H, W)."""
        return shift_robust_residual(volume, reconstruction, self.residual_shift, self.latents.spatial_dims) * brain

    def _condition(self, z: Tensor) -> Tensor:
        """Condition (B, condition_channels * rows) of latents (B, L, rows, …)."""
        if z.shape[2] != self.latent_rows:
            raise UserError(
                f"conddiff.parameters.latent_rows: {self.latent_rows}, but the autoencoder gives latents of {z.shape[2]} rows "
                f"for these images; set it to {z.shape[2]} and train again"
            )
        return self.encoder(z)
