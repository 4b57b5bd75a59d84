"""An encoder that sums an image up in one vector, row by row, to condition a diffusion model on it.

Source: the diffusion autoencoder of Preechakul et al. 2022 (arXiv 2111.15640) in the size of the released code of
Lawry Aguila et al. 2025 (arXiv 2506.10233), there for 3D latents.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

from madad.models.networks.blocks import CONVOLUTIONS, check_groups
from madad.models.networks.unet import SelfAttention


class SemanticEncoder(nn.Module):
    """The first axis keeps its place, the others are pooled: N rows (2D) or planes (3D) give N times `outputs` numbers.

    Args:
        spatial_dims: 2 or 3.
        in_channels: of the image.
        base_channels: at full resolution.
        channel_multipliers: of each level relative to the base; each further level halves every axis but the first.
        norm_groups: groups of the group norm; must divide every number of channels.
        outputs: numbers per row or plane.

    Raises:
        UserError: groups that do not divide the channels.
    """

    def __init__(
        self,
        *,
        spatial_dims: int,
        in_channels: int,
        base_channels: int,
        channel_multipliers: Sequence[int],
        norm_groups: int,
        outputs: int,
    ) -> None:
        super().__init__()
        check_groups(norm_groups, base_channels, "encoder_base_channels")
        convolution = CONVOLUTIONS[spatial_dims]
        levels = [base_channels * multiplier for multiplier in channel_multipliers]

        def block(inputs: int, outputs: int) -> _Block:
            return _Block(convolution, inputs, outputs, norm_groups)

        def attention(channels: int) -> SelfAttention:
            return SelfAttention(channels, norm_groups, max_head_channels=channels)

        first, last = levels[0], levels[-1]
        layers: list[nn.Module] = [convolution(in_channels, base_channels, 3, padding=1)]
        layers += [block(base_channels, first), attention(first)]
        for above, below in itertools.pairwise(levels):
            layers += [convolution(above, above, 3, stride=(1, *[2] * (spatial_dims - 1)), padding=1), block(above, below)]
        layers += [block(last, last), attention(last), block(last, last), nn.GroupNorm(norm_groups, last), nn.SiLU()]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Conv1d(last, outputs, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, C, N, …) to (B, outputs * N)."""
        return self.head(self.layers(image).flatten(3).mean(dim=3)).flatten(1)


class _Block(nn.Module):
    """x + conv(SiLU(norm(x))), with a pointwise convolution on x where the number of channels changes."""

    def __init__(self, convolution: type[nn.Module], inputs: int, outputs: int, norm_groups: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.GroupNorm(norm_groups, inputs), nn.SiLU(), convolution(inputs, outputs, 3, padding=1))
        self.skip = nn.Identity() if inputs == outputs else convolution(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.branch(x)
