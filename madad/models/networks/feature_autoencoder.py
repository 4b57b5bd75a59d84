"""A convolutional autoencoder of feature maps, and the structural similarity by which it learns.

Source: Meissen et al. 2022 (FAE, arXiv 2208.10992), section 3, and its released code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core.errors import UserError

DROPOUT = 0.1
WINDOW, SIGMA = 5, 1.5  # of the similarity, in cells


class FeatureAutoencoder(nn.Module):
    """Features (B, C, h, w) through a narrow middle and back; sides must be multiples of 2^(number of hidden layers).

    Args:
        channels: of the features.
        hidden: channels of the layers that each halve the grid.
    """

    def __init__(self, channels: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.cell = 2 ** len(hidden)
        widths = [channels, *hidden]
        down = [_decorated(nn.Conv2d(a, b, 5, stride=2, padding=2), b) for a, b in zip(widths, hidden, strict=False)]
        up = [
            _decorated(nn.ConvTranspose2d(a, b, 6, stride=2, padding=2), b)
            for a, b in zip(hidden[::-1], [*hidden[-2::-1], channels], strict=True)
        ]
        middle = nn.Conv2d(hidden[-1], hidden[-1], 5, padding=2)
        self.layers = nn.Sequential(*down, middle, *up, nn.Conv2d(channels, channels, 1, bias=False))

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape.

        Raises:
            UserError: a grid that cannot be halved so often.
        """
        rows, columns = features.shape[2:]
        if rows % self.cell or columns % self.cell:
            raise UserError(
                f"fae.parameters.hidden_channels: {len(self.layers) // 2 - 1} layers halve a grid whose sides are multiples of "
                f"{self.cell}, and this one has {rows} x {columns} cells; name fewer layers, raise upsample, or change the "
                "pipeline's spacing_mm"
            )
        return self.layers(features)


def similarity(one: Tensor, other: Tensor, largest: float) -> Tensor:
    """Return the structural similarity of two feature maps (B, C, h, w), cell by cell and channel by channel.

    Wang et al. 2004 (doi:10.1109/TIP.2003.819861), eq. 13, in a Gaussian window of 5 cells; outside the grid features are 0.
    In float32 under autocast as well: the difference of the mean square and the squared mean has few digits in bfloat16.

    Args:
        one, other: (B, C, h, w).
        largest: range of the features, on which the constants depend.
    """
    with torch.autocast(one.device.type, enabled=False):
        return _similarity(one.float(), other.float(), largest)


def _similarity(one: Tensor, other: Tensor, largest: float) -> Tensor:
    offsets = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    line = torch.exp(-((offsets / SIGMA) ** 2) / 2)
    kernel = (torch.outer(line, line) / line.sum() ** 2).to(one).view(1, 1, WINDOW, WINDOW)

    def blurred(maps: Tensor) -> Tensor:
        single = maps.flatten(0, 1).unsqueeze(1)
        return functional.conv2d(single, kernel, padding=WINDOW // 2).view_as(maps)

    c_1, c_2 = (0.01 * largest) ** 2, (0.03 * largest) ** 2
    mu, nu = blurred(one), blurred(other)
    spreads = blurred(one.square()) - mu.square() + blurred(other.square()) - nu.square()
    shared = blurred(one * other) - mu * nu
    return (2 * mu * nu + c_1) * (2 * shared + c_2) / ((mu.square() + nu.square() + c_1) * (spreads + c_2))


def _decorated(convolution: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.LeakyReLU(), nn.Dropout2d(DROPOUT))
