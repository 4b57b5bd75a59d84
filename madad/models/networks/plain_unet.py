"""A plain U-Net in 2D and 3D that regresses an image from another.

Source: the residual-free 3D U-Net of Çiçek et al. 2016 (arXiv 1606.06650) with the order group norm, convolution, leaky ReLU
of Wolny et al. 2020 (doi:10.7554/eLife.57613), as Liu et al. 2025 (arXiv 2501.13370) use it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.models.networks.blocks import CONVOLUTIONS, check_groups

POOL = {2: functional.max_pool2d, 3: functional.max_pool3d}


class PlainUNet(nn.Module):
    """U-Net for images of any size with at least `reach` voxels per side.

    Args:
        spatial_dims: 2 or 3.
        in_channels, out_channels: of the images.
        base_channels: channels at full resolution.
        channel_multipliers: channels of each level relative to the base; each further level halves the resolution.
        norm_groups: groups of the group norm; must divide `base_channels`.

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
        norm_groups: int,
    ) -> None:
        super().__init__()
        check_groups(norm_groups, base_channels, "base_channels")
        convolution, self.pool = CONVOLUTIONS[spatial_dims], POOL[spatial_dims]
        levels = [base_channels * multiplier for multiplier in channel_multipliers]

        def pair(inputs: int, between: int, outputs: int) -> nn.Sequential:
            first, second = (_layer(convolution, i, o, norm_groups) for i, o in ((inputs, between), (between, outputs)))
            return nn.Sequential(*first, *second)

        self.reach = 2 ** (len(levels) - 1)
        above = [in_channels, *levels]
        self.down = nn.ModuleList(pair(i, max(i, o // 2), o) for i, o in zip(above, levels, strict=False))
        self.up = nn.ModuleList(pair(levels[n] + levels[n + 1], levels[n], levels[n]) for n in reversed(range(len(levels) - 1)))
        self.head = convolution(levels[0], out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, …) to (B, C_out, …)."""
        skips = []
        for index, layers in enumerate(self.down):
            x = layers(self.pool(x, 2) if index else x)
            skips.append(x)
        x = skips.pop()
        for layers in self.up:
            skip = skips.pop()
            x = layers(torch.cat([skip, functional.interpolate(x, size=skip.shape[2:])], dim=1))
        return self.head(x)


def _layer(convolution: type[nn.Module], inputs: int, outputs: int, norm_groups: int) -> list[nn.Module]:
    # what the groups do not divide, such as the image itself, is one group
    norm = nn.GroupNorm(norm_groups if inputs % norm_groups == 0 else 1, inputs)
    return [norm, convolution(inputs, outputs, 3, padding=1, bias=False), nn.LeakyReLU(0.1)]
