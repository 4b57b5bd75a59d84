"""Diffusion box by box with a masked autoencoder of the clean rest: our reconstruction of MAEDiff.

Xu, Wang & Du 2024, arXiv 2401.10561, of which sizes, losses and numbers are not public; built on pDDPM, arXiv 2303.03758.

1. Training on healthy slices: noise one of nine overlapping boxes b, x_in = x_t inside and x_0 outside, n Gaussian noise.
2. Cut the slice into small squares. Those that touch the box are hidden, of the others a random half; a transformer encodes the
   visible ones and a second fills in the rest; their features guide the deepest level of the U-Net.
3. Loss: mean |x_0' - x_0| in the box + `mae_weight` times the second transformer's mean error at hidden squares.
4. Test: the boxes one after another, all clean squares visible; overlaps of the boxes' insides are averaged.
5. Map: |x - x'| inside the brain.

Deviations: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from madad.core import draws
from madad.core.interfaces import Batch
from madad.models.diffusion import boxes, sampling
from madad.models.diffusion.forward import to_signed
from madad.models.diffusion.one_step import OneStepDiffusion
from madad.models.networks.token_unet import MaskedTokens, TokenUNet


class MAEDiff(OneStepDiffusion):
    """One-step x_0 predictor with a masked autoencoder; hyper-parameters as in the card.

    Args:
        shared: the hyper-parameters of `OneStepDiffusion`, except `loss` and `noise_scale`, which are fixed.
    """

    def __init__(
        self,
        *,
        patch_fraction: float,
        stride_fraction: float,
        token_side: int,
        token_channels: int,
        token_heads: int,
        encoder_layers: int,
        decoder_layers: int,
        hidden_share: float,
        mae_weight: float,
        **shared: Any,
    ) -> None:
        super().__init__("maediff", loss="l1", noise_scale=1.0, **shared)
        self.tokens = MaskedTokens(
            side=token_side,
            channels=token_channels,
            heads=token_heads,
            encoder_layers=encoder_layers,
            decoder_layers=decoder_layers,
        )
        self.unet = TokenUNet(**self.unet_arguments, feature_channels=token_channels)
        self.patch_fraction, self.stride_fraction = patch_fraction, stride_fraction
        self.hidden_share, self.mae_weight = hidden_share, mae_weight

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the errors in one box and at the hidden squares of each slice (B, 1, H, W); ours, after arXiv 2401.10561."""
        x_0 = to_signed(batch["image"])
        cover = self.cover(x_0)
        box = cover[draws.sent(torch.randint(len(cover), (len(x_0),), generator=generator), cover.device)]
        x_t, t = self.add_random_noise(x_0, generator)
        shown = torch.where(box, x_t, x_0)
        visible = untouched(box, self.tokens.side)
        visible &= draws.sent(torch.rand(visible.shape, generator=generator) >= self.hidden_share, visible.device)
        features, guess = self.tokens(shown, visible, t)
        hidden = functional.interpolate((~visible).float(), scale_factor=self.tokens.side)
        losses = {
            "error": _mean_in(self.unet(shown, t, features) - x_0, box),
            "guess": _mean_in(guess - x_0, hidden),
        }
        return {"loss": losses["error"] + self.mae_weight * losses["guess"], **losses}

    def cover(self, images: Tensor) -> Tensor:
        """Return the overlapping boxes as masks (N, 1, H, W) bool on the device of the images (B, 1, H, W)."""
        height, width = images.shape[-2:]
        corners = overlapping(height, width, self.patch_fraction, self.stride_fraction)
        return boxes.masks(draws.sent(corners, images.device), height, width)

    def estimate(self, x_0: Tensor, noise: Tensor, t: int) -> Tensor:
        """Predict the clean slices (S, 1, H, W) in one pass for every box, overlaps averaged."""
        cover = self.cover(x_0)

        def denoise_beside(box: Tensor) -> sampling.Denoise:
            visible = untouched(box.unsqueeze(0), self.tokens.side)

            def denoise(x: Tensor, steps: Tensor) -> Tensor:
                return self.unet(x, steps, self.tokens(x, visible.expand(len(x), -1, -1, -1), steps)[0])

            return denoise

        passes = (
            sampling.one_step(denoise_beside(box), x_0, noise, t, self.alphas_cumprod, self.slices_per_pass, region=box)
            for box in cover
        )
        return boxes.stitch(passes, cover, "average")


def overlapping(height: int, width: int, patch_fraction: float, stride_fraction: float) -> Tensor:
    """Return boxes (top, left, bottom, right), row by row, at every stride and at the far border, such as 9."""
    ends = []
    for side in (height, width):
        patch, stride = (max(1, round(fraction * side)) for fraction in (patch_fraction, stride_fraction))
        ends.append([(start, start + patch) for start in sorted({*range(0, side - patch + 1, stride), side - patch})])
    return torch.tensor([(top, left, bottom, right) for top, bottom in ends[0] for left, right in ends[1]])


def untouched(box: Tensor, side: int) -> Tensor:
    """Return which squares of `side` voxels the boxes (B, 1, H, W) bool leave clean, (B, 1, H / side, W / side) bool."""
    return functional.max_pool2d(box.float(), side) == 0


def _mean_in(error: Tensor, region: Tensor) -> Tensor:
    """Return the mean absolute error in a region (B, 1, H, W)."""
    return (error.abs() * region).sum() / region.sum().clamp_min(1)
