"""The base class of one-step diffusion methods: a network that predicts the clean slice from a noisy one in a single pass.

Source: Behrendt et al. 2023 (arXiv 2303.03758) and its released code, from which the DDPM, pDDPM, mDDPM and cDDPM of the
registry, and MAEDiff, differ in the network, in where the noise goes and in the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from madad.core import draws
from madad.models.diffusion import sampling, schedules
from madad.models.diffusion.forward import add_noise, draw_timesteps, from_signed, to_signed
from madad.models.diffusion.losses import LOSSES
from madad.models.diffusion.noise import NoiseLaw
from madad.models.diffusion.residuals import residual
from madad.models.networks.unet import UNetSizes

# From clean slices (S, 1, H, W), or N times these, noise of the same shape and its level to as many predicted ones.
Estimate = Callable[[Tensor, Tensor, int], Tensor]


class OneStepDiffusion(nn.Module):
    """Noise schedule, noise law, test levels and loss, and the reconstruction that follows from them.

    A method passes the hyper-parameters that it shares with the family on to this constructor, then builds its network from
    `unet_arguments` and assigns it to `unet`, so that the order of the weights is the method's own. It adds `training_loss`, and
    overrides `estimate` where it does more than one pass with noise everywhere.

    Args:
        method: its name, for error messages.
        scale_shift: see `madad.models.networks.unet.UNet`.
        schedule: name of the noise schedule.
        num_train_timesteps: number of noise levels in training.
        test_timesteps: noise levels at test, counted from 1; their reconstructions are averaged.
        loss: name of the reconstruction loss.
        noise_kind: see `madad.models.diffusion.noise.NoiseLaw`, as for the four that follow.
        noise_shared: one noise field for all slices of a call.
        noise_octaves: octaves of simplex and pyramid noise.
        noise_persistence: amplitude of an octave relative to the one before it.
        noise_scale: factor on the noise.
        tail: side of the residual that counts, see `madad.models.diffusion.residuals.residual`; both, as published.
        slices_per_pass: slices that go through the network together; affects memory, not the result.
        sizes: sizes of the U-Net.

    Attributes:
        unet: predicts x_0 from x_t and t.
        unet_arguments: what the U-Net is built with.

    Raises:
        UserError: a test level beyond the last.
    """

    unet: nn.Module

    def __init__(
        self,
        method: str,
        /,
        *,
        scale_shift: bool,
        schedule: str,
        num_train_timesteps: int,
        test_timesteps: list[int],
        loss: str,
        noise_kind: str,
        noise_shared: bool,
        noise_octaves: int,
        noise_persistence: float,
        noise_scale: float,
        tail: str,
        slices_per_pass: int,
        **sizes: Unpack[UNetSizes],
    ) -> None:
        super().__init__()
        self.unet_arguments: dict[str, Any] = {"in_channels": 1, "out_channels": 1, "scale_shift": scale_shift, **sizes}
        self.alphas_cumprod = schedules.alphas_cumprod(schedule, num_train_timesteps)
        self.test_indices = sampling.level_indices(test_timesteps, num_train_timesteps, f"{method}.parameters.test_timesteps")
        self.loss = LOSSES[loss]
        self.noise_law = NoiseLaw(noise_kind, noise_shared, noise_octaves, noise_persistence, noise_scale)
        self.tail, self.slices_per_pass = tail, slices_per_pass

    def add_random_noise(self, x_0: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw a noise level for each image (B, C, H, W) and noise it; return x_t and t (B,), both on the device of x_0."""
        t = draw_timesteps(len(x_0), self.alphas_cumprod, generator)
        return add_noise(x_0, self.noise_law(x_0, generator), t, self.alphas_cumprod), draws.sent(t, x_0.device)

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the network's error; nothing is clipped."""
        return self.reconstruct_several(volume, generator, 1)[0]

    def reconstruct_several(self, volume: Tensor, generator: torch.Generator, count: int) -> Tensor:
        """Return several pseudo-healthy volumes (N, S, 1, H, W) with the noise of as many calls of `reconstruct`.

        As many go through the network together as `slices_per_pass` allows.
        """
        x_0, estimate, levels = to_signed(volume), self.estimator(volume), len(self.test_indices)
        together = max(1, self.slices_per_pass // len(x_0))
        made = []
        for first in range(0, count, together):
            indices = self.test_indices * min(together, count - first)
            estimates = _estimated(estimate, x_0, [(t, self.noise_law(x_0, generator)) for t in indices])
            made += [sampling.mean(estimates[start : start + levels]) for start in range(0, len(indices), levels)]
        return from_signed(torch.stack(made))

    def estimator(self, volume: Tensor) -> Estimate:
        """Return what predicts the clean slices of a volume (S, 1, H, W) in [0, 1], repeated or not, as `estimate` does."""
        return self.estimate

    def estimate(self, x_0: Tensor, noise: Tensor, t: int) -> Tensor:
        """Predict the clean slices (S, 1, H, W) from the slices with noise of level t, an index into the schedule."""
        return sampling.one_step(self.unet, x_0, noise, t, self.alphas_cumprod, self.slices_per_pass)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the residual |x - x'|, or the side of it that counts, in the brain (S, H, W)."""
        return residual(volume, reconstruction, self.tail) * brain


def _estimated(estimate: Estimate, x_0: Tensor, drawn: list[tuple[int, Tensor]]) -> list[Tensor]:
    """Return the estimates of levels and their noise in the order of both; those of one level are made together."""
    found: dict[int, Iterator[Tensor]] = {}
    for t in dict.fromkeys(t for t, _ in drawn):
        noise = torch.cat([field for level, field in drawn if level == t])
        found[t] = iter(estimate(x_0.repeat(len(noise) // len(x_0), 1, 1, 1), noise, t).split(len(x_0)))
    return [next(found[t]) for t, _ in drawn]
