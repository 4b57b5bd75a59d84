"""The base class of latent diffusion methods: latents of a trained autoencoder are noised and walked back step by step.

Source: the released code of Lawry Aguila et al. 2025 (arXiv 2506.10233), whose CondDiff and whose baselines LDM and cLDM differ
in the condition of the network alone.
"""

from __future__ import annotations

from typing import Any, Unpack

import torch
from torch import Tensor, nn

from madad.core.interfaces import Autoencoder
from madad.models.diffusion import ancestral, sampling, schedules
from madad.models.diffusion.forward import add_noise, draw_timesteps
from madad.models.diffusion.residuals import shift_robust_residual
from madad.models.networks.latent_space import LatentSpace
from madad.models.networks.unet import UNetSizes


class LatentDiffusion(nn.Module):
    """Latent space, noise schedule and chain of steps at test, and the map that forgives displacements.

    A method passes the hyper-parameters that it shares with the family on to this constructor and then builds its networks from
    `unet_arguments`, so that the order of the weights is the method's own.

    Args:
        method: its name, for error messages.
        autoencoder: a trained `madad.core.interfaces.Autoencoder`.
        spatial_dims: 2 or 3.
        schedule: name of the noise schedule.
        num_train_timesteps: number of noise levels in training.
        test_timestep: noise level at which the test starts, counted from 1.
        sampling_steps: steps from there to a clean image; 0 for every level.
        residual_shift: largest displacement in voxels that the map forgives.
        slices_per_pass: images that go through the networks together; affects memory, not the result.
        sizes: sizes of the U-Net.

    Attributes:
        unet_arguments: what the U-Net is built with, except the channels it takes.

    Raises:
        UserError: an autoencoder of other dimensions, a test level beyond the last, or more steps than levels.
    """

    def __init__(
        self,
        method: str,
        /,
        *,
        autoencoder: Autoencoder,
        spatial_dims: int,
        schedule: str,
        num_train_timesteps: int,
        test_timestep: int,
        sampling_steps: int,
        residual_shift: int,
        slices_per_pass: int,
        **sizes: Unpack[UNetSizes],
    ) -> None:
        super().__init__()
        self.latents = LatentSpace(
            autoencoder,
            spatial_dims=spatial_dims,
            levels=len(sizes["channel_multipliers"]),
            slices_per_pass=slices_per_pass,
            method=method,
        )
        # the answer holds the noise and, for each of its channels, the variance of the step
        self.unet_arguments: dict[str, Any] = {
            "spatial_dims": spatial_dims,
            "out_channels": 2 * autoencoder.latent_channels,
            **sizes,
        }
        self.alphas_cumprod = schedules.alphas_cumprod(schedule, num_train_timesteps)
        self.chain = ancestral.chain(self.alphas_cumprod)
        (start,) = sampling.level_indices([test_timestep], num_train_timesteps, f"{method}.parameters.test_timestep")
        timesteps = ancestral.respaced(start, sampling_steps, f"{method}.parameters.sampling_steps")
        self.test_chain = ancestral.chain(self.alphas_cumprod, timesteps)
        self.residual_shift = residual_shift
        self.slices_per_pass = slices_per_pass

    def add_random_noise(self, z_0: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Draw a level and Gaussian noise for each of the latents (B, L, …); return z_t, the noise and t (B,), on the CPU."""
        t = draw_timesteps(len(z_0), self.alphas_cumprod, generator)
        noise = ancestral.gaussian_like(z_0, generator)
        return add_noise(z_0, noise, t, self.alphas_cumprod), noise, t

    def restore(self, denoise: ancestral.Denoise, z_x: Tensor, slices: int, generator: torch.Generator) -> Tensor:
        """Noise the latents of a volume, walk back with a network and decode.

        Args:
            denoise: the network, on any number of latents.
            z_x: latents from `LatentSpace.encode_volume`.
            slices: slices of the volume.
            generator: CPU generator.

        Returns:
            (S, 1, H, W) in [0, 1] up to the networks' error; nothing is clipped.
        """
        return self.latents.decode_volume(ancestral.denoise_from(denoise, z_x, self.test_chain, generator), slices)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the residual in the brain (S, H, W), the smallest over the displacements that are forgiven."""
        return shift_robust_residual(volume, reconstruction, self.residual_shift, self.latents.spatial_dims) * brain
