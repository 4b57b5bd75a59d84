"""The networks of MCDDPM: a bridge that turns a noisy slice into many channels, and a U-Net that attends to its own features.

Source: the released code of MCDDPM (arXiv 2409.19623): the U-Net of ADM, in whose middle the transformer block of Rombach et al.
2022 (arXiv 2112.10752, appendix E) takes the place of the self-attention.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.models.networks.blocks import zero
from madad.models.networks.unet import MAX_HEAD_CHANNELS, UNet, sinusoids, walk_down, walk_up

CONTEXT_LEVEL = 1  # index of the noise level that the context pass is told, whatever it is shown
BRIDGE_GROUPS = 8
FEED_FORWARD = 4  # times as wide as the features


class Bridge(nn.Module):
    """An encoder at full resolution, whose features go beside the slice into the U-Net, and a decoder from them to the slice.

    Args:
        channels: of the encoder's first block; the second has twice as many.

    Attributes:
        outputs: channels of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.outputs = 2 * channels
        self.encode = nn.Sequential(_BridgeBlock(1, channels), _BridgeBlock(channels, self.outputs))
        self.decode = nn.Sequential(_BridgeBlock(self.outputs, channels), _BridgeBlock(channels, 1, groups=1))


class ContextUNet(UNet):
    """The U-Net of `madad.models.networks.unet` whose middle attends to the features of a first pass through its own encoder.

    Args:
        options: as for `UNet`.
    """

    def __init__(self, *, base_channels: int, channel_multipliers: list[int], norm_groups: int, **options: Any) -> None:
        super().__init__(base_channels=base_channels, channel_multipliers=channel_multipliers, norm_groups=norm_groups, **options)
        self.middle[1] = ContextBlock(base_channels * channel_multipliers[-1], norm_groups)

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """Predict (B, C_out, H, W) from x_t (B, C_in, H, W) and t (B,); the context comes from x_t unless it is given."""
        context = self.context(x_t) if condition is None else condition
        embedding = functional.silu(self.embed_time(sinusoids(t, self.base_channels)))
        skips = walk_down(self.down, self.stem(x_t), embedding)
        before, attend, after = self.middle
        h = after(attend(before(skips[-1], embedding), context), embedding)
        return self.head(walk_up(self.up, h, skips, embedding))

    def context(self, x_t: Tensor) -> Tensor:
        """Return the encoder's last features of x_t (B, C_in, H, W) as tokens (B, N, C)."""
        t = torch.full((len(x_t),), CONTEXT_LEVEL, device=x_t.device)
        embedding = functional.silu(self.embed_time(sinusoids(t, self.base_channels)))
        return _tokens(walk_down(self.down, self.stem(x_t), embedding)[-1])


class ContextBlock(nn.Module):
    """Self-attention, attention to the context and a gated linear layer, each added to its input; arXiv 2112.10752, appendix E.

    The last layer starts at zero, so that an untrained block changes nothing.
    """

    def __init__(self, channels: int, norm_groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(norm_groups, channels)
        self.inwards = nn.Conv2d(channels, channels, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))
        self.to_itself = _Attention(channels)
        self.to_context = _Attention(channels)
        self.gated = nn.Linear(channels, 2 * FEED_FORWARD * channels)
        self.linear = nn.Linear(FEED_FORWARD * channels, channels)
        self.outwards = zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Map (B, C, H, W) with the context (B, N, C) to the same shape."""
        tokens = _tokens(self.inwards(self.norm(x)))
        own = self.norms[0](tokens)
        tokens = tokens + self.to_itself(own, own)
        tokens = tokens + self.to_context(self.norms[1](tokens), context)
        values, gate = self.gated(self.norms[2](tokens)).chunk(2, dim=2)
        tokens = tokens + self.linear(values * functional.gelu(gate))
        return x + self.outwards(tokens.transpose(1, 2).view_as(x))


class _Attention(nn.Module):
    """Attention of tokens (B, N, C) to others (B, M, C), in heads of at most 64 channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.head_channels = min(MAX_HEAD_CHANNELS, channels)
        self.query, self.key, self.value = (nn.Linear(channels, channels, bias=False) for _ in range(3))
        self.out = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor, others: Tensor) -> Tensor:
        parts = self.query(tokens), self.key(others), self.value(others)
        q, k, v = (part.unflatten(2, (-1, self.head_channels)).transpose(1, 2) for part in parts)
        return self.out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class _BridgeBlock(nn.Module):
    """Two convolutions, each with its group norm and SiLU, beside a pointwise convolution."""

    def __init__(self, inputs: int, outputs: int, groups: int = BRIDGE_GROUPS) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before in (inputs, outputs):
            layers += [nn.Conv2d(before, outputs, 3, padding=1), nn.GroupNorm(groups, outputs), nn.SiLU()]
        self.branch = nn.Sequential(*layers)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.branch(x)


def _tokens(features: Tensor) -> Tensor:
    return features.flatten(2).transpose(1, 2)
