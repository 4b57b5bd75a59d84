"""The U-Net of ablated diffusion models: predicts an image from a noisy one, its noise level and, if wanted, a condition.

Source: Dhariwal & Nichol 2021 (ADM, arXiv 2105.05233), section 3, in the size of Behrendt et al. 2023
(arXiv 2303.03758): residual blocks that resample, group norm modulated by the noise level, self-attention in the
middle block alone. The last layer of every residual branch and of the network starts at zero, so that an untrained
network answers exactly 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core.errors import UserError
from madad.models.networks.blocks import check_groups, zero

MAX_HEAD_CHANNELS = 64
MAX_PERIOD = 10_000


class UNetSizes(TypedDict):
    """Sizes of a diffusion U-Net under the names of the cards; see `UNet`. A method passes them on unread."""

    base_channels: int
    channel_multipliers: list[int]
    blocks_per_level: int
    norm_groups: int


class UNet(nn.Module):
    """2D U-Net. Rows and columns of the image must be multiples of 2^(levels - 1).

    Args:
        in_channels, out_channels: channels of the noisy and of the predicted image.
        base_channels: channels at full resolution; the embedding of the noise level is four times as wide.
        channel_multipliers: channels of each level relative to the base; each further level halves the resolution.
        blocks_per_level: residual blocks per level on the way down; one more on the way up.
        norm_groups: groups of the group norm; must divide base_channels.
        scale_shift: modulate by scale and shift after the norm (True) or add before it (False).
        condition_channels: width of a condition vector; None for a network without one.

    Raises:
        UserError: widths that groups or attention heads do not divide, and, when used, an image that cannot be halved.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        base_channels: int,
        channel_multipliers: Sequence[int],
        blocks_per_level: int,
        norm_groups: int,
        scale_shift: bool,
        condition_channels: int | None = None,
    ) -> None:
        super().__init__()
        _check_widths(base_channels, channel_multipliers, norm_groups)
        width = 4 * base_channels
        self.base_channels = base_channels
        self.halvings = len(channel_multipliers) - 1
        self.embed_time = _mlp(base_channels, width)
        self.embed_condition = _mlp(condition_channels, width) if condition_channels else None
        embedding = width * (2 if condition_channels else 1)

        def block(inputs: int, outputs: int, resample: str | None = None) -> ResidualBlock:
            return ResidualBlock(inputs, outputs, embedding, norm_groups, scale_shift=scale_shift, resample=resample)

        levels = [base_channels * multiplier for multiplier in channel_multipliers]
        self.stem = nn.Conv2d(in_channels, base_channels, 3, padding=1)
        self.down, skips = encoder_layers(block, base_channels, levels, blocks_per_level)
        middle = levels[-1]
        self.middle = Layers([block(middle, middle), SelfAttention(middle, norm_groups), block(middle, middle)])
        self.up = decoder_stages(block, skips, levels, blocks_per_level)
        self.head = nn.Sequential(
            nn.GroupNorm(norm_groups, levels[0]), nn.SiLU(), zero(nn.Conv2d(levels[0], out_channels, 3, padding=1))
        )

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """Predict (B, C_out, H, W) from x_t (B, C_in, H, W), t (B,) and condition (B, D)."""
        _check_sides(x_t, self.halvings)
        embedding = self.embed_time(sinusoids(t, self.base_channels))
        if self.embed_condition is not None:
            embedding = torch.cat([embedding, self.embed_condition(condition)], dim=1)
        embedding = functional.silu(embedding)
        skips = walk_down(self.down, self.stem(x_t), embedding)
        return self.head(walk_up(self.up, self.middle(skips[-1], embedding), skips, embedding))


class Layers(nn.ModuleList):
    """Layers that run one after another; each also takes the signals, such as the embedding of the noise level."""

    def forward(self, h: Tensor, *signals: Tensor | None) -> Tensor:
        """Run the layers on (B, C, …)."""
        for layer in self:
            h = layer(h, *signals)
        return h


class ResidualBlock(nn.Module):
    """h = x + conv(SiLU(norm(conv(SiLU(norm(x)))))), modulated by the embedding; ADM, section 3 and eq. 4 ("AdaGN").

    Args:
        inputs, outputs: channels.
        embedding: channels of the embedding, which comes in after its SiLU.
        resample: "up" (nearest, x 2), "down" (average, / 2) or None; applied to the branch and to the identity.
    """

    def __init__(
        self, inputs: int, outputs: int, embedding: int, norm_groups: int, *, scale_shift: bool, resample: str | None
    ) -> None:
        super().__init__()
        self.scale_shift = scale_shift
        self.norm_in = nn.GroupNorm(norm_groups, inputs)
        self.resample = {"up": nn.Upsample(scale_factor=2), "down": nn.AvgPool2d(2), None: nn.Identity()}[resample]
        self.conv_in = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * outputs if scale_shift else outputs)
        self.norm_out = nn.GroupNorm(norm_groups, outputs)
        self.conv_out = zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map (B, C_in, H, W) and (B, E) to (B, C_out, H', W')."""
        h = self.conv_in(self.resample(functional.silu(self.norm_in(x))))
        modulation = self.modulation(embedding)[:, :, None, None].to(h.dtype)
        if self.scale_shift:
            scale, shift = modulation.chunk(2, dim=1)
            h = torch.addcmul(shift, self.norm_out(h), 1 + scale)
        else:
            h = self.norm_out(h + modulation)
        return self.skip(self.resample(x)) + self.conv_out(functional.silu(h))


class SelfAttention(nn.Module):
    """Multi-head self-attention over the pixels or voxels; ADM, section 3.1, with its heads of at most 64 channels."""

    def __init__(
        self, channels: int, norm_groups: int, max_head_channels: int = MAX_HEAD_CHANNELS, norm_epsilon: float = 1e-5
    ) -> None:
        super().__init__()
        self.head_channels = min(max_head_channels, channels)
        self.norm = nn.GroupNorm(norm_groups, channels, eps=norm_epsilon)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.out = nn.Conv1d(channels, channels, 1)
        zero(self.out)

    def forward(self, x: Tensor, *signals: Tensor | None) -> Tensor:
        """Map (B, C, H, W) or (B, C, S, H, W) to the same shape; the signals are not used."""
        pixels = self.norm(x).flatten(2).transpose(1, 2)  # (B, N, C)
        # The channels are split into q, k and v first and into heads after that. With the channels last, the parts of q, k and v
        # lie one after another in memory, which the fast kernels of attention ask for on every device.
        q, k, v = (
            part.unflatten(2, (-1, self.head_channels)).transpose(1, 2) for part in _pointwise(self.qkv, pixels).chunk(3, 2)
        )
        attended = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + _pointwise(self.out, attended).transpose(1, 2).unflatten(2, x.shape[2:])


def _pointwise(layer: nn.Conv1d, pixels: Tensor) -> Tensor:
    """Apply a convolution of width 1 to pixels with the channels last, (B, N, C) to (B, N, C')."""
    return functional.linear(pixels, layer.weight.squeeze(2), layer.bias)


def sinusoids(t: Tensor, channels: int) -> Tensor:
    """Embed integers, cosines first: [cos(t w_i), sin(t w_i)], w_i = 10000^(-2i/channels).

    Source: Vaswani et al. 2017 (arXiv 1706.03762), section 3.5, in the order of ADM.

    Args:
        t: (B,).
        channels: even.

    Returns:
        (B, channels) float32.
    """
    half = channels // 2
    frequencies = torch.exp(-math.log(MAX_PERIOD) * torch.arange(half, dtype=torch.float32, device=t.device) / half)
    angles = t[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def walk_down(layers: nn.ModuleList, h: Tensor, embedding: Tensor) -> list[Tensor]:
    """Run the layers of the way down on the stem's features; return the features of every skip connection, the stem's first."""
    skips = [h]
    for layer in layers:
        skips.append(layer(skips[-1], embedding))
    return skips


def walk_up(stages: nn.ModuleList, h: Tensor, skips: Sequence[Tensor], *signals: Tensor | None) -> Tensor:
    """Run the stages of the way up on the deepest features; return the features of the finest level.

    Args:
        stages: from `decoder_stages`; each takes one skip connection.
        h: (B, C, …), the deepest features.
        skips: features of the skip connections, the stem's first.
        signals: what every layer takes beside the features, such as the embedding of the noise level.
    """
    for stage, skip in zip(stages, reversed(skips), strict=True):
        h = stage(torch.cat([h, skip], dim=1), *signals)
    return h


def encoder_layers(block, channels: int, levels: list[int], blocks: int) -> tuple[nn.ModuleList, list[int]]:
    """Return the blocks of the way down and the channels of every skip connection, the stem's first."""
    layers, skips = nn.ModuleList(), [channels]
    for index, outputs in enumerate(levels):
        for _ in range(blocks):
            layers.append(block(channels, outputs))
            channels = outputs
            skips.append(channels)
        if index < len(levels) - 1:
            layers.append(block(channels, channels, "down"))
            skips.append(channels)
    return layers, skips


def decoder_stages(block, skips: list[int], levels: list[int], blocks: int) -> nn.ModuleList:
    """Return the stages of the way up; each takes one skip connection, the last of a level also doubles the resolution."""
    stages, skips, channels = nn.ModuleList(), list(skips), levels[-1]
    for index, outputs in reversed(list(enumerate(levels))):
        for position in range(blocks + 1):
            stage = Layers([block(channels + skips.pop(), outputs)])
            channels = outputs
            if index > 0 and position == blocks:
                stage.append(block(channels, channels, "up"))
            stages.append(stage)
    return stages


def _check_widths(base_channels: int, channel_multipliers: Sequence[int], norm_groups: int) -> None:
    check_groups(norm_groups, base_channels, "base_channels")
    middle = base_channels * channel_multipliers[-1]
    if middle % min(MAX_HEAD_CHANNELS, middle):
        raise UserError(
            f"parameters.base_channels: {base_channels} times the last of channel_multipliers is {middle} channels, which "
            f"attention cannot share among heads of {MAX_HEAD_CHANNELS}; make the product a multiple of {MAX_HEAD_CHANNELS}"
        )


def _check_sides(image: Tensor, halvings: int) -> None:
    rows, columns = image.shape[-2:]
    multiple = 2**halvings
    if rows % multiple or columns % multiple:
        raise UserError(
            f"slices of {rows} x {columns} voxels: with {halvings + 1} levels the U-Net halves them {halvings} times, so both "
            f"sides must be multiples of {multiple}; change pipelines.spacing_mm, or shorten parameters.channel_multipliers"
        )


def _mlp(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.SiLU(), nn.Linear(outputs, outputs))
