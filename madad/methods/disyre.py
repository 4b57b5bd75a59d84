"""Restoration by cold diffusion on synthetic anomalies (DISYRE).

Naval Marimont et al. 2024, ISBI, doi:10.1109/ISBI56570.2024.10635161, arXiv 2311.15453; the form with cold diffusion (Bansal et
al. 2023, arXiv 2208.09392) and single steps is Naval Marimont et al. 2024, arXiv 2407.06635.

1. Training: a synthetic lesion is inserted into a healthy slice at a severity a, x_a = x_0 + a (x_1 - x_0), a uniform.
2. a is given to the network as the nearest of T levels t; a U-Net predicts x_0 from x_a and t; the loss is the squared error.
3. Test, "mean_single_step": predict x_0'(t) from the slice for several t, as if it were an anomaly of that severity.
4. Map: the mean over t of |x - x_0'(t)| in the brain.
5. Or "multi_step": level by level down to the mildest, x <- x_0' + (a_s / a_t) (x - x_0'), s the next milder; map |x - x'|.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Unpack

import numpy as np
import torch
from torch import Tensor, nn

from madad.core import draws
from madad.core.errors import UserError
from madad.core.interfaces import Batch
from madad.models.diffusion import schedules
from madad.models.diffusion.residuals import residual
from madad.models.networks.tensor_layout import in_passes
from madad.models.networks.unet import UNet, UNetSizes


class DISYRE(nn.Module):
    """Restorer of slices with anomalies of any severity; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        scale_shift: bool,
        num_train_timesteps: int,
        test_steps: int,
        restoration: str,
        slices_per_pass: int,
        **sizes: Unpack[UNetSizes],
    ) -> None:
        super().__init__()
        self.unet = UNet(in_channels=1, out_channels=1, scale_shift=scale_shift, **sizes)
        self.severities = severities(num_train_timesteps)
        self.test_levels = trailing(test_steps, num_train_timesteps)
        self.restoration = restoration
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the squared error of the healthy slices (B, 1, H, W), background included; released code."""
        image, healthy = batch["image"], batch["healthy"]
        severity = draws.like(torch.rand(len(image), generator=generator), image) * batch["lesion"].flatten(1).any(dim=1)
        shown = torch.lerp(healthy, image, severity.view(-1, 1, 1, 1))
        error = self.unet(shown, self.level_of(severity)) - healthy
        return {"loss": error.square().mean()}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the restored volume (S, 1, H, W) in [0, 1]; for "mean_single_step" one per level (N, S, 1, H, W), unclipped."""
        if self.restoration == "mean_single_step":
            return torch.stack([self._predict(volume, level) for level in self.test_levels])
        x, severity = volume, [*(float(self.severities[level]) for level in self.test_levels), 0.0]
        for step, level in enumerate(self.test_levels):
            estimate = self._predict(x, level)
            x = (estimate + severity[step + 1] / severity[step] * (x - estimate)).clamp(0, 1)
        return x

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean over the restorations of |x - x'| in the brain (S, H, W)."""
        several = reconstruction.view(-1, *volume.shape) if reconstruction is not None else [None]
        return torch.stack([residual(volume, one) for one in several]).mean(dim=0) * brain

    def level_of(self, severity: Tensor) -> Tensor:
        """Return the index of the level with the nearest severity, for each of (B,)."""
        table = draws.like(torch.from_numpy(self.severities.copy()), severity)
        return (table - severity[:, None]).abs().argmin(dim=1)

    def _predict(self, images: Tensor, level: int) -> Tensor:
        t = torch.full((len(images),), level, device=images.device)
        return in_passes(self.unet, self.slices_per_pass, images, t)


def severities(num_train_timesteps: int) -> np.ndarray:
    """Return a_t = sqrt(alpha-bar_{T-1-t}) of the linear schedule, which rises from nearly 0 to nearly 1; released code."""
    return np.sqrt(schedules.linear(num_train_timesteps))[::-1]


def trailing(steps: int, num_train_timesteps: int) -> list[int]:
    """Return evenly spaced levels for the test, the severest first: 99, 79, 59, 39 and 19 for 5 of 100.

    Raises:
        UserError: more steps than levels.
    """
    if steps > num_train_timesteps:
        raise UserError(f"disyre.parameters.test_steps: {steps} goes beyond num_train_timesteps = {num_train_timesteps}")
    return [round(num_train_timesteps - step * num_train_timesteps / steps) - 1 for step in range(steps)]
