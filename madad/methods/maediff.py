"""Diffusion box by box with a masked autoencoder that looks at the clean rest: a reconstruction of ours (MAEDiff-style).

Xu, Wang & Du 2024, arXiv 2401.10561, of which sizes, losses and numbers are not public; built on pDDPM, arXiv 2303.03758.

1. Training on healthy slices: noise one of nine overlapping boxes b, x_in = x_t inside and x_0 outside, n Gaussian noise.
2. Cut the slice into small squares. Those that touch the box are hidden, of the others a random half; a transformer encodes the
   visible ones and a second fills in the rest, which tells the deepest level of the U-Net what is around.
3. Loss: mean |x_0' - x_0| in the box + `mae_weight` times the mean error of the second transformer's guess at hidden squares.
4. Test: the boxes one after another, all clean squares visible; overlaps of the boxes' insides are averaged.
5. Map: |x - x'| inside the brain.

Deviations: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core.interfaces import Batch
from madad.models.diffusion import boxes, sampling, schedules
from madad.models.diffusion.forward import add_noise, draw_timesteps, from_signed, to_signed
from madad.models.diffusion.noise import NoiseLaw
from madad.models.diffusion.residuals import residual
from madad.models.networks.token_unet import MaskedTokens, TokenUNet


class MAEDiff(nn.Module):
    """One-step x_0 predictor with a masked autoencoder; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        base_channels: int,
        channel_multipliers: list[int],
        blocks_per_level: int,
        norm_groups: int,
        scale_shift: bool,
        schedule: str,
        num_train_timesteps: int,
        test_timesteps: list[int],
        patch_fraction: float,
        stride_fraction: float,
        token_side: int,
        token_channels: int,
        token_heads: int,
        encoder_layers: int,
        decoder_layers: int,
        hidden_share: float,
        mae_weight: float,
        noise_kind: str,
        noise_shared: bool,
        noise_octaves: int,
        noise_persistence: float,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        self.tokens = MaskedTokens(
            side=token_side,
            channels=token_channels,
            heads=token_heads,
            encoder_layers=encoder_layers,
            decoder_layers=decoder_layers,
        )
        self.unet = TokenUNet(
            feature_channels=token_channels,
            in_channels=1,
            out_channels=1,
            base_channels=base_channels,
            channel_multipliers=channel_multipliers,
            blocks_per_level=blocks_per_level,
            norm_groups=norm_groups,
            scale_shift=scale_shift,
        )
        self.alphas_cumprod = schedules.alphas_cumprod(schedule, num_train_timesteps)
        self.test_indices = sampling.level_indices(test_timesteps, num_train_timesteps, "maediff.parameters.test_timesteps")
        self.patch_fraction, self.stride_fraction = patch_fraction, stride_fraction
        self.hidden_share, self.mae_weight = hidden_share, mae_weight
        self.noise_law = NoiseLaw(noise_kind, noise_shared, noise_octaves, noise_persistence, 1.0)
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Errors in one box and at the hidden squares of each slice (B, 1, H, W); ours, after arXiv 2401.10561."""
        x_0 = to_signed(batch["image"])
        cover = self.cover(x_0)
        box = cover[torch.randint(len(cover), (len(x_0),), generator=generator).to(cover.device)]
        t = draw_timesteps(len(x_0), self.alphas_cumprod, generator)
        shown = torch.where(box, add_noise(x_0, self.noise_law(x_0, generator), t, self.alphas_cumprod), x_0)
        visible = untouched(box, self.tokens.side)
        visible &= (torch.rand(visible.shape, generator=generator) >= self.hidden_share).to(visible.device)
        features, guess = self.tokens(shown, visible, t.to(x_0.device))
        hidden = functional.interpolate((~visible).float(), scale_factor=self.tokens.side)
        losses = {
            "error": _mean_in(self.unet(shown, t.to(x_0.device), features) - x_0, box),
            "guess": _mean_in(guess - x_0, hidden),
        }
        return {"loss": losses["error"] + self.mae_weight * losses["guess"], **losses}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the network's error; nothing is clipped."""
        x_0 = to_signed(volume)
        cover = self.cover(x_0)
        fields = [self.noise_law(x_0, generator) for _ in self.test_indices]
        estimates = (self._stitched(x_0, n, t, cover) for t, n in zip(self.test_indices, fields, strict=True))
        return from_signed(sampling.mean(estimates))

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Residual |x - x'| in the brain (S, H, W)."""
        return residual(volume, reconstruction) * brain

    def cover(self, images: Tensor) -> Tensor:
        """The boxes, overlapping, as masks (N, 1, H, W) bool in the place of the images (B, 1, H, W)."""
        height, width = images.shape[-2:]
        corners = overlapping(height, width, self.patch_fraction, self.stride_fraction)
        return boxes.masks(corners, height, width).to(images.device)

    def _stitched(self, x_0: Tensor, noise: Tensor, t: int, cover: Tensor) -> Tensor:
        """Estimate of x_0 from one pass for every box, overlaps averaged."""

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
    """Boxes (top, left, bottom, right), row by row, every stride and at the far border: 9 for half the side every quarter."""
    ends = []
    for side in (height, width):
        patch, stride = (max(1, round(fraction * side)) for fraction in (patch_fraction, stride_fraction))
        ends.append([(start, start + patch) for start in sorted({*range(0, side - patch + 1, stride), side - patch})])
    return torch.tensor([(top, left, bottom, right) for top, bottom in ends[0] for left, right in ends[1]])


def untouched(box: Tensor, side: int) -> Tensor:
    """Squares of `side` voxels that the boxes (B, 1, H, W) bool leave clean, (B, 1, H / side, W / side) bool."""
    return functional.max_pool2d(box.float(), side) == 0


def _mean_in(error: Tensor, region: Tensor) -> Tensor:
    """Mean absolute error in a region (B, 1, H, W)."""
    return (error.abs() * region).sum() / region.sum().clamp_min(1)
