"""The U-Net of denoising autoencoders: skip connections, weight standardisation, average pooling, transposed convolutions.

Source: Ronneberger et al. 2015 (arXiv 1505.04597) as Kascenas et al. 2022 (MIDL, PMLR 172:653) use it, with the order
convolution, swish, group norm of their released code. Convolutions are weight-standardised (Qiao et al. 2019, arXiv 1903.10520).
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-5


class DenoisingUNet(nn.Module):
    """2D U-Net for images of any size with at least `reach` voxels per side.

    Args:
        in_channels, out_channels: of the images.
        base_channels: channels at full resolution; every further level doubles them and halves the resolution.
        levels: resolutions, the finest included.
    """

    def __init__(self, *, in_channels: int, out_channels: int, base_channels: int, levels: int) -> None:
        super().__init__()
        channels = [base_channels * 2**level for level in range(levels)]
        self.reach = 2**levels  # a reflected border needs two voxels at the coarsest level
        self.down = nn.ModuleList(_pair(inputs, outputs) for inputs, outputs in itertools.pairwise([in_channels, *channels]))
        finer = list(itertools.pairwise(reversed(channels)))
        self.larger = nn.ModuleList(nn.ConvTranspose2d(inputs, outputs, 2, stride=2) for inputs, outputs in finer)
        self.up = nn.ModuleList(_pair(inputs, outputs) for inputs, outputs in finer)
        self.head = nn.Conv2d(base_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H, W)."""
        skips = []
        for index, layers in enumerate(self.down):
            x = layers(functional.avg_pool2d(x, 2) if index else x)
            skips.append(x)
        x = skips.pop()
        for larger, layers in zip(self.larger, self.up, strict=True):
            skip = skips.pop()
            x = layers(torch.cat([larger(x, output_size=skip.shape[2:]), skip], dim=1))
        return self.head(x)


class StandardisedConv2d(nn.Conv2d):
    """A convolution whose weights have mean 0 and variance 1 for every output channel; Qiao et al. 2019, eq. 11."""

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H, W)."""
        axes = (1, 2, 3)
        centred = self.weight - self.weight.mean(axes, keepdim=True)
        weight = centred / (centred.square().mean(axes, keepdim=True).sqrt() + EPSILON)
        return self._conv_forward(input, weight, self.bias)


def groups(channels: int) -> int:
    """Return the groups of the group norm: the middle divisor of the number of channels (released code of Kascenas et al.)."""
    divisors = [number for number in range(1, channels + 1) if channels % number == 0]
    return divisors[len(divisors) // 2]


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (inputs, outputs):
        convolution = StandardisedConv2d(before, outputs, 3, padding=1, padding_mode="reflect")
        layers += [convolution, nn.SiLU(), nn.GroupNorm(groups(outputs), outputs)]
    return nn.Sequential(*layers)
