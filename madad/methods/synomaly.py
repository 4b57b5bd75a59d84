"""Diffusion with synthetic anomalies in its noise, restored in several stages (Synomaly).

Bi et al. 2025, Medical Image Analysis, doi:10.1016/j.media.2025.103737, arXiv 2411.04004.

1. Training on healthy slices: x_t = sqrt(alpha-bar_t) x_0 + sqrt(1 - alpha-bar_t) n, n Gaussian noise that is brighter (or
   darker) inside random shapes in the brain; a U-Net predicts all of n, so that it learns to remove the shapes.
2. Test: plain Gaussian noise at one level, one pass, and x_0' from the predicted noise.
3. Where the blurred x and x_0' differ by more than a threshold, in components that are not small, x_0' replaces x.
4. Once more from there, until the mask changes by less than 1 %, five times at most. The difference is always to the original x.
5. Map: the absolute difference of the blurred x and the last x_0', in the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor, nn

from madad.core import draws
from madad.core.interfaces import Batch
from madad.models.diffusion import ancestral, schedules
from madad.models.diffusion.ancestral import gaussian_like
from madad.models.diffusion.forward import add_noise, draw_timesteps, from_signed, to_signed
from madad.models.diffusion.synomaly import ShapeNoise, Stages, blur
from madad.models.networks.tensor_layout import in_passes
from madad.models.networks.unet import UNet, UNetSizes


class Synomaly(nn.Module):
    """Predictor of noise with shapes; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        scale_shift: bool,
        schedule: str,
        num_train_timesteps: int,
        test_timestep: int,
        bound_weight: float,
        anomaly_sigma: float,
        anomaly_level: float,
        anomaly_offset: float,
        anomaly_direction: str,
        mask_sigma: float,
        mask_threshold: float,
        smallest_spot: int,
        mask_change: float,
        max_stages: int,
        score_sigma: float,
        slices_per_pass: int,
        **sizes: Unpack[UNetSizes],
    ) -> None:
        super().__init__()
        self.unet = UNet(in_channels=1, out_channels=1, scale_shift=scale_shift, **sizes)
        self.alphas_cumprod = schedules.alphas_cumprod(schedule, num_train_timesteps)
        self.steps = ancestral.chain(self.alphas_cumprod)
        self.test_index = test_timestep - 1
        self.bound_weight = bound_weight
        self.noise_law = ShapeNoise(anomaly_sigma, anomaly_level, anomaly_offset, anomaly_direction)
        self.stages = Stages(mask_sigma, mask_threshold, smallest_spot, mask_change)
        self.max_stages = max_stages
        self.score_sigma = score_sigma
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the squared error of the noise, shapes included, and the variational bound at t; released code ("vlb")."""
        x_0 = to_signed(batch["image"])
        t = draw_timesteps(len(x_0), self.alphas_cumprod, generator)
        noise = self.noise_law(x_0, batch["brain"], generator)
        x_t = add_noise(x_0, noise, t, self.alphas_cumprod)
        epsilon = self.unet(x_t, draws.sent(t, x_0.device)).float()
        losses = {"error": (epsilon - noise).square().mean()}
        if self.bound_weight:
            answer = torch.cat([epsilon, torch.ones_like(epsilon)], dim=1)  # of the two variances the larger, beta_t
            losses["bound"] = ancestral.bound_term(answer, x_0, x_t, t, self.steps).mean()
        return {"loss": losses["error"] + self.bound_weight * losses.get("bound", 0), **losses}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the prediction of the last stage (S, 1, H, W) in [0, 1]; every slice has as many stages as it needs."""
        x = to_signed(volume)
        shown, restored = x, x
        mask = torch.ones_like(x, dtype=torch.bool)
        running = torch.ones(len(x), 1, 1, 1, dtype=torch.bool, device=x.device)
        for _ in range(self.max_stages):
            restored = torch.where(running, self._one_step(shown, generator), restored)
            before, mask = mask, self.stages.mask(x, restored)
            shown = torch.where(mask, restored, x)
            running = running & ~self.stages.settled(before, mask).view(-1, 1, 1, 1)
            if not running.any():
                break
        return from_signed(restored)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return |G x - G x'| in the brain (S, H, W), G the blur; released code before its threshold."""
        if reconstruction is None:
            raise ValueError("the map needs the reconstruction")
        return blur(volume - reconstruction, self.score_sigma).abs().mean(dim=1) * brain

    def _one_step(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Predict x_0' of x (S, 1, H, W) by Ho et al. 2020, eq. 15, from Gaussian noise at the level of the test."""
        t = torch.full((len(x),), self.test_index)
        x_t = add_noise(x, gaussian_like(x, generator), t, self.alphas_cumprod)
        epsilon = in_passes(self.unet, self.slices_per_pass, x_t, draws.sent(t, x.device))
        alpha_bar = float(self.alphas_cumprod[self.test_index])
        return ((x_t - (1 - alpha_bar) ** 0.5 * epsilon) / alpha_bar**0.5).clamp(-1, 1)
