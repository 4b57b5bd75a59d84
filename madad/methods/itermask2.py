"""Restoration behind masks that shrink to what cannot be restored (IterMask2).

Liang, Guo, Noble, Kamnitsas 2024, MICCAI, arXiv 2406.02422; the threshold by subject is that of IterMask3D (Liang et al. 2026,
Medical Image Analysis, doi:10.1016/j.media.2025.103763, arXiv 2504.04911).

1. Training on healthy slices: noise replaces a random mask m; a network restores the slice from the rest and from x_f, the
   slice's high frequencies with the phase of all. A second one restores it from x_f alone. Loss: squared error of both.
2. Test: the second network's worst-restored 60 % of the brain are the first mask.
3. The mask is filled by the first network; what has an error above tau stays in the mask. Again until it settles.
4. tau is the 80th percentile of the errors behind random masks in healthy slices, or found in the subject itself.
5. Map: the squared error of the last restoration in the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from madad.core.interfaces import Batch
from madad.models.diffusion.ancestral import gaussian_like
from madad.models.diffusion.iterative_masks import Shrinking, best_level, draw_blobs, high_pass
from madad.models.networks.plain_unet import PlainUNet
from madad.models.networks.tensor_layout import check_reach, in_passes

Restore = Callable[[Tensor], Tensor]

PERCENTAGES = 101
# Measurements in training are averages that forget as 0.95^steps, so that the last twenty batches count.
FORGETTING = 0.05


class IterMask2(nn.Module):
    """The two networks and the errors of healthy slices; hyper-parameters as in the card.

    Attributes:
        measured: buffers that a training from other weights does not take over.
        validated: batches of the last validation.
        healthy_errors: percentiles 0 to 100 of the squared errors behind random masks in healthy slices, mean over batches.
    """

    measured = ("validated", "healthy_errors")
    validated: Tensor
    healthy_errors: Tensor

    def __init__(
        self,
        *,
        base_channels: int,
        channel_multipliers: list[int],
        norm_groups: int,
        radius: float,
        threshold: str,
        tau_quantile: float,
        first_keep: float,
        stop: float,
        max_iterations: int,
        sweep_levels: int,
        gamma: float,
        map: str,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        sizes = {"base_channels": base_channels, "channel_multipliers": channel_multipliers, "norm_groups": norm_groups}
        self.first = PlainUNet(spatial_dims=2, in_channels=1, out_channels=1, **sizes)
        self.unet = PlainUNet(spatial_dims=2, in_channels=2, out_channels=1, **sizes)
        self.register_buffer("validated", torch.tensor(0))
        self.register_buffer("healthy_errors", torch.zeros(PERCENTAGES))
        self.radius = radius
        self.by_subject = threshold == "subject"
        self.tau_quantile, self.first_keep = tau_quantile, first_keep
        self.shrink = Shrinking(stop, max_iterations)
        self.sweep = np.linspace(0, 100, sweep_levels + 1)[1:]
        self.gamma = gamma
        self.whole = map == "full"
        self.slices_per_pass = slices_per_pass

    @property
    def tau(self) -> Tensor:
        """The threshold of the squared error that healthy slices give."""
        return torch.quantile(self.healthy_errors, self.tau_quantile)

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the squared errors of both networks on slices (B, 1, H, W), background included; released code."""
        x = stretched(batch["image"])
        check_reach(x, self.unet.reach, "itermask2.parameters.channel_multipliers")
        mask = draw_blobs(batch["brain"], generator)
        guide = high_pass(x, self.radius)
        restored = self._restore(x, mask, guide, gaussian_like(x, generator))
        error = (x - restored).square()
        losses = {"masked": error.mean(), "first": (x - self.first(guide)).square().mean()}
        self._measure(error.detach(), mask)
        return {"loss": losses["masked"] + losses["first"], **losses}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the last restoration (S, 1, H, W), in [0, 1] up to the network's error, everywhere or behind the final masks."""
        x, brain = stretched(volume), volume > 0
        guide = high_pass(x, self.radius)
        first = in_passes(self.first, self.slices_per_pass, guide)

        def restore(mask: Tensor) -> Tensor:
            return in_passes(self._restore, self.slices_per_pass, x, mask, guide, gaussian_like(x, generator))

        error = (x - first).square()
        if self.by_subject:
            mask, tau = self._swept(x, error, brain, restore)
        else:
            mask, tau = worst(error, brain, self.first_keep), self.tau
        mask, restored = self.shrink(x, mask, brain, tau, restore, grow=self.by_subject)
        return unstretched(restored if self.whole else torch.where(mask, restored, x))

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the squared error in the brain (S, H, W); released code before its scaling by the test set."""
        if reconstruction is None:
            raise ValueError("the map needs the restoration")
        return (volume - reconstruction).square().mean(dim=1) * brain

    def _restore(self, x: Tensor, mask: Tensor, guide: Tensor, noise: Tensor) -> Tensor:
        return self.unet(torch.cat([torch.where(mask, noise, x), guide], dim=1))

    def _swept(self, x: Tensor, error: Tensor, brain: Tensor, restore: Restore) -> tuple[Tensor, Tensor]:
        """Return mask and threshold of one subject from the errors at rising thresholds; arXiv 2504.04911, released code."""
        masks, thresholds = [], []
        for percentage in self.sweep if brain.any() else ():
            tau = torch.quantile(error[brain].float(), min(percentage, 100) / 100)
            masks.append(brain & (error > tau))
            thresholds.append(tau)
            error = (x - restore(masks[-1])).square()
        if not masks:
            return brain, error.new_zeros(())
        best = best_level(self.sweep, torch.stack(thresholds).double().cpu().numpy(), self.gamma)
        return masks[best], thresholds[best]

    @torch.no_grad()
    def _measure(self, error: Tensor, mask: Tensor) -> None:
        """Update the healthy errors with those of one batch behind its masks."""
        masked = error[mask].float()
        if self.training:
            self.validated.zero_()
            weight = FORGETTING if self.healthy_errors.any() else 1.0
        else:
            self.validated += 1
            weight = 1 / int(self.validated)
        if len(masked):
            self.healthy_errors.lerp_(torch.quantile(masked, torch.linspace(0, 1, PERCENTAGES).to(masked)), weight)


def worst(error: Tensor, brain: Tensor, share: float) -> Tensor:
    """Return the voxels (S, 1, H, W) that have the largest errors in the brain of their slice, that share of them."""
    ranks = torch.where(brain, error, -torch.inf).flatten(1).argsort(dim=1, descending=True).argsort(dim=1).view_as(error)
    return brain & (ranks < (share * brain.sum(dim=(2, 3), keepdim=True)).round())


def stretched(images: Tensor) -> Tensor:
    """Scale intensities in [0, 1] to [-3, 3], against which normal noise carries no anatomy; released code."""
    return 6 * images - 3


def unstretched(images: Tensor) -> Tensor:
    """Invert `stretched`."""
    return (images + 3) / 6
