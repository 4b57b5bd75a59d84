"""The U-Net of latent diffusion models in 2D and 3D, conditioned, if wanted, by a second scale and shift.

Source: the network of Rombach et al. 2022 (arXiv 2112.10752) in the size of the released code of Lawry Aguila et al. 2025
(arXiv 2506.10233): convolutions that resample, one-headed self-attention at the deepest level alone. Without a condition
the noise level is added to the features; with one, first the noise level and then the condition scale and shift what the
group norm gives out ("double AdaGN", Preechakul et al. 2022, arXiv 2111.15640). The last layer of every residual branch and
of the network starts at zero, so that an untrained network answers exactly 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.models.networks.blocks import CONVOLUTIONS, check_groups, zero
from madad.models.networks.unet import Layers, SelfAttention, sinusoids, walk_up

NORM_EPSILON = 1e-6


class AdaGNUNet(nn.Module):
    """U-Net for images whose sides are multiples of 2^(levels - 1).

    Args:
        spatial_dims: 2 or 3.
        in_channels, out_channels: channels of the noisy image and of the answer.
        base_channels: channels at full resolution; the embedding of the noise level is four times as wide.
        channel_multipliers: channels of each level relative to the base; each further level halves the resolution.
        blocks_per_level: residual blocks per level on the way down; one more on the way up.
        norm_groups: groups of the group norm; must divide every number of channels.
        condition_channels: width of the condition vector; None for a network without one.

    Raises:
        UserError: groups that do not divide the channels.
    """

    def __init__(
        self,
        *,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        base_channels: int,
        channel_multipliers: Sequence[int],
        blocks_per_level: int,
        norm_groups: int,
        condition_channels: int | None = None,
    ) -> None:
        super().__init__()
        check_groups(norm_groups, base_channels, "base_channels")
        width = 4 * base_channels
        levels = [base_channels * multiplier for multiplier in channel_multipliers]
        convolution = CONVOLUTIONS[spatial_dims]
        self.base_channels = base_channels
        self.embed_time = nn.Sequential(nn.Linear(base_channels, width), nn.SiLU(), nn.Linear(width, width))

        def stage(inputs: int, outputs: int, attend: bool) -> Layers:
            block = AdaGNBlock(convolution, inputs, outputs, width, condition_channels, norm_groups)
            if not attend:
                return Layers([block])
            return Layers([block, SelfAttention(outputs, norm_groups, max_head_channels=outputs, norm_epsilon=NORM_EPSILON)])

        self.stem = convolution(in_channels, base_channels, 3, padding=1)
        self.down, skips = _encoder(stage, convolution, base_channels, levels, blocks_per_level)
        self.middle = Layers([*stage(levels[-1], levels[-1], True), *stage(levels[-1], levels[-1], False)])
        self.up = _decoder(stage, convolution, skips, levels, blocks_per_level)
        self.head = nn.Sequential(
            nn.GroupNorm(norm_groups, levels[0], eps=NORM_EPSILON),
            nn.SiLU(),
            zero(convolution(levels[0], out_channels, 3, padding=1)),
        )

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """Predict (B, C_out, …) from x_t (B, C_in, …), t (B,) and condition (B, D)."""
        embedding = functional.silu(self.embed_time(sinusoids(t, self.base_channels)))
        condition = None if condition is None else functional.silu(condition)
        h = self.stem(x_t)
        skips = [h]
        for stage in self.down:
            h = stage(h, embedding, condition)
            skips.append(h)
        return self.head(walk_up(self.up, self.middle(h, embedding, condition), skips, embedding, condition))


class AdaGNBlock(nn.Module):
    """Residual block; the embeddings come in after their SiLU.

    Args:
        convolution: of the wanted dimension.
        inputs, outputs: channels.
        embedding: channels of the noise level's embedding.
        condition: channels of the condition; None to add the noise level instead of scaling and shifting by it.
        norm_groups: groups of the group norm.
    """

    def __init__(
        self, convolution: type[nn.Module], inputs: int, outputs: int, embedding: int, condition: int | None, norm_groups: int
    ) -> None:
        super().__init__()
        self.norm_in = nn.GroupNorm(norm_groups, inputs, eps=NORM_EPSILON)
        self.conv_in = convolution(inputs, outputs, 3, padding=1)
        self.by_time = nn.Linear(embedding, 2 * outputs if condition else outputs)
        self.by_condition = nn.Linear(condition, 2 * outputs) if condition else None
        self.norm_out = nn.GroupNorm(norm_groups, outputs, eps=NORM_EPSILON)
        self.conv_out = zero(convolution(outputs, outputs, 3, padding=1))
        self.skip = nn.Identity() if inputs == outputs else convolution(inputs, outputs, 1)

    def forward(self, x: Tensor, embedding: Tensor, condition: Tensor | None) -> Tensor:
        """Map (B, C_in, …), (B, E) and (B, D) to (B, C_out, …)."""
        h = self.conv_in(functional.silu(self.norm_in(x)))
        if self.by_condition is None:
            h = self.norm_out(h + _on_grid(self.by_time(embedding), h))
        else:
            h = _modulate(_modulate(self.norm_out(h), self.by_time(embedding)), self.by_condition(condition))
        return self.skip(x) + self.conv_out(functional.silu(h))


class _Resample(nn.Module):
    """Half the resolution by a strided convolution, or double it by repeating voxels before one."""

    def __init__(self, convolution: type[nn.Module], channels: int, direction: str) -> None:
        super().__init__()
        self.scale = 2 if direction == "up" else 1
        self.convolution = convolution(channels, channels, 3, stride=1 if direction == "up" else 2, padding=1)

    def forward(self, x: Tensor, embedding: Tensor, condition: Tensor | None) -> Tensor:
        return self.convolution(functional.interpolate(x, scale_factor=self.scale) if self.scale > 1 else x)


Stage = Callable[[int, int, bool], Layers]


def _encoder(
    stage: Stage, convolution: type[nn.Module], channels: int, levels: list[int], blocks: int
) -> tuple[nn.ModuleList, list[int]]:
    """Return the stages of the way down and the channels of their skip connections, the stem's first."""
    stages, skips, deepest = nn.ModuleList(), [channels], len(levels) - 1
    for level, outputs in enumerate(levels):
        for _ in range(blocks):
            stages.append(stage(channels, outputs, level == deepest))
            channels = outputs
            skips.append(channels)
        if level < deepest:
            stages.append(Layers([_Resample(convolution, channels, "down")]))
            skips.append(channels)
    return stages, skips


def _decoder(stage: Stage, convolution: type[nn.Module], skips: list[int], levels: list[int], blocks: int) -> nn.ModuleList:
    """Return the stages of the way up; each takes one skip connection, the last of a level also doubles the resolution."""
    stages, skips, channels = nn.ModuleList(), list(skips), levels[-1]
    for level, outputs in reversed(list(enumerate(levels))):
        for position in range(blocks + 1):
            layers = stage(channels + skips.pop(), outputs, level == len(levels) - 1)
            channels = outputs
            if level > 0 and position == blocks:
                layers.append(_Resample(convolution, channels, "up"))
            stages.append(layers)
    return stages


def _modulate(h: Tensor, modulation: Tensor) -> Tensor:
    scale, shift = _on_grid(modulation, h).chunk(2, dim=1)
    return torch.addcmul(shift, h, 1 + scale)


def _on_grid(vector: Tensor, image: Tensor) -> Tensor:
    return vector.view(*vector.shape, *[1] * (image.ndim - 2)).to(image.dtype)
