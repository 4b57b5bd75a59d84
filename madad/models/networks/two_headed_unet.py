"""The U-Net of MAD-AD: cleans partly noisy latents and predicts which cells were clean.

Source: Beizaee et al. 2025 (MAD-AD, arXiv 2502.16943) and its released code; the trunk is that of ADM without scale and
shift (Dhariwal & Nichol 2021, arXiv 2105.05233): self-attention after every residual block, convolutions that resample,
dropout before the last convolution of a block. Residual branches and both heads start at zero, so that an untrained network
answers exactly 0 and "as likely clean as not".
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from madad.core.errors import UserError
from madad.models.networks.blocks import check_groups, zero
from madad.models.networks.unet import (
    Layers,
    ResidualBlock,
    SelfAttention,
    decoder_stages,
    encoder_layers,
    sinusoids,
    walk_down,
    walk_up,
)


class TwoHeadedUNet(nn.Module):
    """2D U-Net with two answers. Rows and columns must be divisible by 2^(levels - 1).

    Args:
        in_channels: channels of the latents.
        base_channels: channels at full resolution; the embedding of the noise level is four times as wide.
        channel_multipliers: channels of each level relative to the base; each further level halves the resolution.
        blocks_per_level: residual blocks per level on the way down; one more on the way up.
        attention_heads: heads of the self-attention, the same number at every level.
        norm_groups: groups of the group norm; must divide every number of channels.
        dropout: probability.

    Raises:
        UserError: heads or groups do not divide the channels.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        base_channels: int,
        channel_multipliers: Sequence[int],
        blocks_per_level: int,
        attention_heads: int,
        norm_groups: int,
        dropout: float,
    ) -> None:
        super().__init__()
        check_groups(norm_groups, base_channels, "base_channels")
        if base_channels % attention_heads:
            raise UserError(
                f"parameters.attention_heads: {attention_heads} does not divide base_channels = {base_channels}; "
                "give a divisor of it"
            )
        width = 4 * base_channels
        levels = [base_channels * multiplier for multiplier in channel_multipliers]

        def stage(inputs: int, outputs: int, resample: str | None = None) -> nn.Module:
            if resample:
                return _Resample(outputs, resample)
            return _Stage(_residual(inputs, outputs, width, norm_groups, dropout), attention_heads)

        self.base_channels = base_channels
        self.embed_time = nn.Sequential(nn.Linear(base_channels, width), nn.SiLU(), nn.Linear(width, width))
        self.stem = nn.Conv2d(in_channels, base_channels, 3, padding=1)
        self.down, skips = encoder_layers(stage, base_channels, levels, blocks_per_level)
        middle = levels[-1]
        self.middle = Layers([stage(middle, middle), _residual(middle, middle, width, norm_groups, dropout)])
        self.up = decoder_stages(stage, skips, levels, blocks_per_level)
        clean, keep = (zero(nn.Conv2d(levels[0], outputs, 3, padding=1)) for outputs in (in_channels, 1))
        self.clean_head = nn.Sequential(nn.GroupNorm(norm_groups, levels[0]), nn.SiLU(), clean)
        self.keep_head = nn.Sequential(nn.GroupNorm(norm_groups, levels[0]), keep)  # no SiLU, as published

    def forward(self, z_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Predict from latents z_t (B, C, h, w), clean in some cells and noisy in others, and the noise level t (B,).

        Returns:
            the clean latents (B, C, h, w); the logit of every cell being clean already (B, 1, h, w).
        """
        embedding = functional.silu(self.embed_time(sinusoids(t, self.base_channels)))
        skips = walk_down(self.down, self.stem(z_t), embedding)
        h = walk_up(self.up, self.middle(skips[-1], embedding), skips, embedding)
        return self.clean_head(h), self.keep_head(h)


class _Stage(nn.Module):
    """A residual block and the self-attention after it."""

    def __init__(self, residual: ResidualBlock, heads: int) -> None:
        super().__init__()
        channels, groups = residual.norm_out.num_channels, residual.norm_out.num_groups
        self.residual = residual
        self.attention = SelfAttention(channels, groups, max_head_channels=channels // heads)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        return self.attention(self.residual(h, embedding))


class _Resample(nn.Module):
    """Half the resolution by a strided convolution, or twice by nearest neighbours and a convolution."""

    def __init__(self, channels: int, direction: str) -> None:
        super().__init__()
        self.spread = nn.Upsample(scale_factor=2) if direction == "up" else nn.Identity()
        self.conv = nn.Conv2d(channels, channels, 3, stride=1 if direction == "up" else 2, padding=1)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        return self.conv(self.spread(h))


def _residual(inputs: int, outputs: int, embedding: int, norm_groups: int, dropout: float) -> ResidualBlock:
    block = ResidualBlock(inputs, outputs, embedding, norm_groups, scale_shift=False, resample=None)
    block.conv_out = nn.Sequential(nn.Dropout(dropout), block.conv_out)
    return block
