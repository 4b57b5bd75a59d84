"""A diffusion U-Net that receives, at its deepest level, a masked autoencoder's features of the clean part of the image.

Source: our reconstruction of the "MAE-enhanced diffusion U-Net" of Xu et al. 2024 (MAEDiff, arXiv 2401.10561), whose sizes and
whose place in the U-Net are not public; the autoencoder is that of He et al. 2022 (MAE, arXiv 2111.06377), the U-Net that of ADM.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core import draws
from madad.core.errors import UserError
from madad.models.networks.blocks import zero
from madad.models.networks.sequence import positions
from madad.models.networks.unet import UNet, sinusoids, walk_down, walk_up

TOKEN_STD = 0.02


class MaskedTokens(nn.Module):
    """Squares of an image as tokens: a transformer encodes the visible ones, and another fills in all others.

    Args:
        side: voxels per side of a square.
        channels: of a token; a multiple of 4 and of the heads.
        heads: of attention.
        encoder_layers, decoder_layers: of the two transformers.

    Raises:
        UserError: channels that heads or positions do not divide and, when used, an image that squares do not tile.
    """

    def __init__(self, *, side: int, channels: int, heads: int, encoder_layers: int, decoder_layers: int) -> None:
        super().__init__()
        if channels % heads or channels % 4:
            raise UserError(f"parameters.token_channels: {channels} is not a multiple of 4 and of token_heads = {heads}")
        self.side, self.channels = side, channels
        self.embed = nn.Conv2d(1, channels, side, stride=side)
        self.embed_time = nn.Linear(channels, channels)
        self.encoder = _transformer(channels, heads, encoder_layers)
        self.hidden = nn.Parameter(TOKEN_STD * torch.randn(channels))
        self.decoder = _transformer(channels, heads, decoder_layers)
        self.head = nn.Linear(channels, side**2)

    def forward(self, images: Tensor, visible: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Encode the visible squares alone and fill in the others.

        Args:
            images: (B, 1, H, W); what is not visible does not matter.
            visible: (B, 1, H / side, W / side) bool.
            t: (B,) noise levels.

        Returns:
            features (B, channels, H / side, W / side) and the image as the decoder predicts it (B, 1, H, W).
        """
        self.check(images)
        grid = visible.shape[2:]
        seen = visible.flatten(1)
        place = draws.like(positions_2d(*grid, self.channels), images)
        embedded = self.embed(images).flatten(2).transpose(1, 2)
        tokens = embedded + place + self.embed_time(sinusoids(t, self.channels)).unsqueeze(1)
        # where no square is visible, attention runs over the hidden ones: over none it is not defined
        tokens = torch.where(seen.unsqueeze(2), tokens, self.hidden + place)
        tokens = self.encoder(tokens, src_key_padding_mask=~seen & seen.any(dim=1, keepdim=True))
        tokens = self.decoder(torch.where(seen.unsqueeze(2), tokens, self.hidden + place))
        features = tokens.transpose(1, 2).unflatten(2, grid)
        guess = functional.pixel_shuffle(self.head(tokens).transpose(1, 2).unflatten(2, grid), self.side)
        return features, guess

    def check(self, images: Tensor) -> None:
        """Refuse images (…, H, W) that squares do not tile."""
        rows, columns = images.shape[-2:]
        if rows % self.side or columns % self.side:
            raise UserError(
                f"slices of {rows} x {columns} voxels: squares of {self.side} voxels do not tile them; set parameters.token_side "
                "to a divisor of both sides, or change pipelines.spacing_mm"
            )


class TokenUNet(UNet):
    """The U-Net of `madad.models.networks.unet` with features added at its deepest level by a layer that starts at zero.

    Args:
        feature_channels: of the features; the rest as for `UNet`.
    """

    def __init__(self, *, feature_channels: int, base_channels: int, channel_multipliers: list[int], **options: Any) -> None:
        super().__init__(base_channels=base_channels, channel_multipliers=channel_multipliers, **options)
        deepest = base_channels * channel_multipliers[-1]
        self.guide = zero(nn.Conv2d(deepest + feature_channels, deepest, 1))

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """Predict (B, C_out, H, W) from x_t (B, C_in, H, W), t (B,) and, as condition, features (B, F, h, w) of any size."""
        if condition is None:
            raise ValueError("features are needed as the condition")
        embedding = functional.silu(self.embed_time(sinusoids(t, self.base_channels)))
        skips = walk_down(self.down, self.stem(x_t), embedding)
        h = skips[-1]
        larger = functional.interpolate(condition.to(h.dtype), size=h.shape[2:], mode="bilinear", align_corners=False)
        h = h + self.guide(torch.cat([h, larger], dim=1))
        return self.head(walk_up(self.up, self.middle(h, embedding), skips, embedding))


def positions_2d(rows: int, columns: int, channels: int) -> Tensor:
    """Return sines and cosines (rows * columns, channels): first half for the row, second for the column; MAE, section 3."""
    down, across = positions(rows, channels // 2), positions(columns, channels // 2)
    return torch.cat([down.repeat_interleave(columns, dim=0), across.repeat(rows, 1)], dim=1)


def _transformer(channels: int, heads: int, layers: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        channels, heads, 4 * channels, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(channels), enable_nested_tensor=False)
