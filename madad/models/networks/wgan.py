"""Generator, critic and encoder of a Wasserstein GAN, and the loss of the critic.

Sources: Gulrajani et al. 2017 (WGAN-GP, arXiv 1704.00028); the networks are those of Schlegl et al. 2019 (f-AnoGAN,
doi:10.1016/j.media.2019.01.010), with group norms instead of batch norms and for slices of any size.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

# Cells per side to which the coarsest features are pooled before the linear layers.
GRID = 4


class Generator(nn.Module):
    """Codes (B, L) to images (B, 1, *size) in [0, 1].

    Args:
        channels: of every level, the finest first; each doubles the resolution.
        latent_size: L.
    """

    def __init__(self, *, channels: Sequence[int], latent_size: int) -> None:
        super().__init__()
        coarse = channels[-1]
        self.entry = nn.Linear(latent_size, coarse * GRID**2)
        self.blocks = nn.ModuleList(
            ResidualBlock(below, above) for below, above in itertools.pairwise([coarse, *reversed(channels)])
        )
        self.head = nn.Sequential(_norm(channels[0]), nn.ReLU(), nn.Conv2d(channels[0], 1, 3, padding=1), nn.Sigmoid())

    def forward(self, z: Tensor, size: Sequence[int]) -> Tensor:
        """Generate images from codes."""
        sizes = [list(size)]
        for _ in self.blocks:
            sizes.append([(side + 1) // 2 for side in sizes[-1]])
        cells = self.entry(z).unflatten(1, (-1, GRID, GRID))
        x = cells if sizes[-1] == [GRID, GRID] else functional.interpolate(cells, size=sizes[-1], mode="bilinear")
        for block, target in zip(self.blocks, sizes[-2::-1], strict=True):
            x = block(x, lambda h, target=target: functional.interpolate(h, size=target))
        return self.head(x)


class Reader(nn.Module):
    """Images (B, 1, H, W) to numbers (B, outputs): the critic, with one output, and the encoder.

    Args:
        channels: of every level, the finest first; each halves the resolution.
        outputs: how many numbers.
        bias: of the last layer; a critic needs none, because only differences of its scores matter.

    Attributes:
        features: network from images to the input of the last layer, (B, F).
        reach: smallest side of an image.
    """

    def __init__(self, *, channels: Sequence[int], outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.reach = 2 ** len(channels)
        self.features = Features(channels)
        self.head = nn.Linear(channels[-1] * GRID**2, outputs, bias=bias)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the numbers of images."""
        return self.head(self.features(images))


class Features(nn.Module):
    """Images (B, 1, H, W) to features (B, channels[-1] * GRID^2)."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(above, below) for above, below in itertools.pairwise([*channels, channels[-1]]))

    def forward(self, images: Tensor) -> Tensor:
        """Compute the features of images."""
        x = self.stem(images)
        for block in self.blocks:
            x = block(x, lambda h: functional.avg_pool2d(h, 2))
        return functional.adaptive_avg_pool2d(x, GRID).flatten(1)


class ResidualBlock(nn.Module):
    """Two convolutions, each after norm and ReLU, beside a 1 x 1 convolution; both are resampled by the same function."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
        self.second = nn.Sequential(_norm(outputs), nn.ReLU(), nn.Conv2d(outputs, outputs, 3, padding=1, bias=False))
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, resample: Callable[[Tensor], Tensor]) -> Tensor:
        """(B, C_in, H, W) to (B, C_out, H', W')."""
        x = resample(x)
        return self.skip(x) + self.second(self.first(x))


def critic_loss(critic: nn.Module, real: Tensor, fake: Tensor, shares: Tensor, penalty_weight: float) -> dict[str, Tensor]:
    """Return the loss of the critic: D(fake) - D(real) + lambda (|grad D(x)| - 1)^2; Gulrajani et al. 2017, eq. 3.

    Args:
        critic: images to scores (B, 1).
        real, fake: (B, 1, H, W); neither gets a gradient.
        shares: (B,) in [0, 1], where between fake (0) and real (1) images the penalty is taken.
        penalty_weight: lambda.

    Returns:
        {"loss", "distance", "penalty"}; the distance is that between the two laws as the critic sees it.
    """
    real, fake = real.detach(), fake.detach()
    distance = critic(real).mean() - critic(fake).mean()
    between = torch.lerp(fake, real, shares.view(-1, 1, 1, 1)).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    penalty = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return {"loss": penalty_weight * penalty - distance, "distance": distance.detach(), "penalty": penalty.detach()}


def frozen(network: nn.Module) -> Callable[..., Tensor]:
    """Return the network as a function whose weights get no gradient, although its input may."""
    weights = {name: weight.detach() for name, weight in network.named_parameters()}
    return lambda *inputs: functional_call(network, weights, inputs)


def _norm(channels: int) -> nn.GroupNorm:
    """Normalise all channels of an image together; batch statistics would couple images, which the penalty forbids (sec. 4)."""
    return nn.GroupNorm(1, channels)
