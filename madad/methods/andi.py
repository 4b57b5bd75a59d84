"""Aggregated normative diffusion (ANDi): the difference between single denoising steps and the true ones.

Frotscher, Kapoor, Wolfers & Baumgartner 2023, arXiv 2312.01904; as run by the same group in arXiv 2512.01534.

1. Training on healthy slices: draw t uniformly, x_t = sqrt(alpha-bar_t) x_0 + sqrt(1 - alpha-bar_t) n, n pyramid noise.
2. A U-Net predicts v from x_t and t; the loss is the squared error of the noise that follows from v.
3. Test: for every t from `last_timestep` to `first_timestep`, noise the slice to x_t and predict its x_0', one pass each.
4. Both x_0 and x_0' give a mean of the step from x_t to x_{t-1}; their squared difference is large where the slice is abnormal.
5. Map: the geometric mean of the squares over all t, in the brain. Nothing is sampled, nothing reconstructed.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Unpack

import numpy as np
import torch
from torch import Tensor, nn

from madad.core import draws
from madad.core.interfaces import Batch
from madad.models.diffusion import ancestral, v_prediction
from madad.models.diffusion.forward import add_noise, draw_timesteps, to_signed
from madad.models.diffusion.noise import NoiseLaw
from madad.models.networks.tensor_layout import in_passes
from madad.models.networks.unet import UNet, UNetSizes

# Squares are not taken to be smaller than this, whose logarithm is finite.
SMALLEST = 1e-12


class ANDi(nn.Module):
    """Predictor of v, and comparison of single steps; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        scale_shift: bool,
        num_train_timesteps: int,
        reference_side: int,
        first_timestep: int,
        last_timestep: int,
        noise_kind: str,
        test_noise_kind: str,
        noise_octaves: int,
        noise_persistence: float,
        slices_per_pass: int,
        **sizes: Unpack[UNetSizes],
    ) -> None:
        super().__init__()
        self.unet = UNet(in_channels=1, out_channels=1, scale_shift=scale_shift, **sizes)
        self.num_train_timesteps = num_train_timesteps
        self.reference_side = reference_side
        # counted from 1 in the paper and from 0 in the table
        self.test_indices = range(first_timestep - 1, last_timestep)
        laws = (NoiseLaw(kind, False, noise_octaves, noise_persistence, 1.0) for kind in (noise_kind, test_noise_kind))
        self.noise_law, self.test_noise_law = laws
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the squared error of the noise of slices (B, 1, H, W), background included; code of arXiv 2512.01534."""
        x_0 = to_signed(batch["image"])
        table = self._schedule(x_0)
        t = draw_timesteps(len(x_0), table, generator)
        noise = self.noise_law(x_0, generator)
        x_t = add_noise(x_0, noise, t, table)
        error = v_prediction.noise_of(self.unet(x_t, draws.sent(t, x_0.device)), x_t, t, table) - noise
        return {"loss": error.square().mean()}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        """Return None: single steps are compared, and there is no pseudo-healthy volume."""

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the geometric mean of (mu(x_t, x_0') - mu(x_t, x_0))^2 over t in the brain (S, H, W); arXiv 2312.01904."""
        x_0 = to_signed(volume)
        table = self._schedule(x_0)
        steps = ancestral.chain(table)
        logarithms = torch.zeros_like(x_0)
        for index in self.test_indices:
            t = torch.full((len(x_0),), index)
            x_t = add_noise(x_0, self.test_noise_law(x_0, generator), t, table)
            v = in_passes(self.unet, self.slices_per_pass, x_t, draws.sent(t, x_0.device))
            estimate = v_prediction.x_0_of(v, x_t, t, table).clamp(-1, 1)
            # the means share their term in x_t
            logarithms += (float(steps.weight_x_0[index]) * (estimate - x_0)).square().clamp_min(SMALLEST).log()
        return (logarithms / len(self.test_indices)).exp().mean(dim=1) * brain

    def _schedule(self, images: Tensor) -> np.ndarray:
        return v_prediction.shifted_cosine(self.num_train_timesteps, max(images.shape[2:]), self.reference_side)
