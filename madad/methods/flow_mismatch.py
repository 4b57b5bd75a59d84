"""Mismatch between the velocity of a flow of healthy slices and the straight way to the image (flow mismatching).

Chen, Moradi, Paynabar, Yan 2026, arXiv 2605.23070, of which only the abstract and a page were at hand.

1. Training on healthy slices: x_t = (1 - t) n + t x, n Gaussian noise, t ~ U(0, 1). A U-Net predicts the velocity x - n.
2. Test: K noises n_k, T times t_j = j / (T + 1); delta_kj = (v(x_t, t_j) - (x - n_k))^2 at every voxel.
3. Of the K values the smallest, or another quantile; over times the mean with the weights t^2.
4. Map: that mean in the brain. Nothing is reconstructed.

For the best v, delta = (E[x | x_t] - x)^2 / (1 - t)^2: residuals of denoising at several levels. Deviations: see the card.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor, nn

from madad.core import draws
from madad.core.interfaces import Batch
from madad.models.diffusion.ancestral import gaussian_like
from madad.models.diffusion.forward import to_signed
from madad.models.networks.tensor_layout import in_passes
from madad.models.networks.unet import UNet, UNetSizes

TIME_SCALE = 1000  # of the sinusoids that embed t in [0, 1]


class FlowMismatch(nn.Module):
    """A velocity from noise to healthy slices; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        scale_shift: bool,
        paths: int,
        times: int,
        quantile: float,
        slices_per_pass: int,
        **sizes: Unpack[UNetSizes],
    ) -> None:
        super().__init__()
        self.unet = UNet(in_channels=1, out_channels=1, scale_shift=scale_shift, **sizes)
        self.paths, self.quantile = paths, quantile
        self.times = [step / (times + 1) for step in range(1, times + 1)]
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return |v(x_t, t) - (x - n)|^2 of slices (B, 1, H, W), background included; arXiv 2605.23070."""
        x = to_signed(batch["image"])
        t = draws.like(torch.rand(len(x), generator=generator), x)
        return {"loss": self.mismatch(x, gaussian_like(x, generator), t).mean()}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        """Return None: velocities are compared, and there is no pseudo-healthy volume."""

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean over times of t^2 times the mismatch of the paths' quantile, in the brain (S, H, W)."""
        x = to_signed(volume)
        noises = [gaussian_like(x, generator) for _ in range(self.paths)]
        total = torch.zeros_like(x)
        for time in self.times:
            t = torch.full((len(x),), time).to(x)
            deltas = torch.stack([in_passes(self.mismatch, self.slices_per_pass, x, noise, t) for noise in noises])
            total += time**2 * torch.quantile(deltas, self.quantile, dim=0, interpolation="higher")
        return (total / len(self.times)).mean(dim=1) * brain

    def mismatch(self, x: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return (v(x_t, t) - (x - n))^2 (B, 1, H, W) of images in [-1, 1], noise and times (B,)."""
        x_t = torch.lerp(noise, x, t.view(-1, 1, 1, 1))
        return (self.unet(x_t, TIME_SCALE * t) - (x - noise)).square()
