"""The encoder, bottleneck and decoder that all autoencoders of one comparison share, in 2D and 3D.

Source: Baur et al. 2021 (doi:10.1016/j.media.2020.101952): convolutions and transposed convolutions of five voxels per side that
halve and double the resolution, and, where the bottleneck is dense, a 1 x 1 convolution to fewer channels before it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from madad.models.networks.blocks import CONVOLUTIONS

KERNEL = 5  # voxels per side, of every convolution that halves or doubles the resolution
# Channels that the dense layers see: an eighth of the published last level.
DENSE_CHANNELS = 16
TRANSPOSED: dict[int, type[nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
POOL: dict[int, Callable[..., Tensor]] = {2: functional.adaptive_avg_pool2d, 3: functional.adaptive_avg_pool3d}
LINEAR = {2: "bilinear", 3: "trilinear"}

Norm = Callable[[int], nn.Module]


@dataclass(frozen=True)
class Strides:
    """How the levels of encoder and decoder change the resolution.

    Attributes:
        padded: pad every convolution, so that it halves or doubles the resolution exactly; without, the encoder loses what its
            kernels cannot cover, and the decoder's image is resized in the end, as in the released code of arXiv 2506.10233.
        slope: of the leaky rectifiers below 0.
    """

    padded: bool = True
    slope: float = 0.01

    @property
    def padding(self) -> int:
        """Voxels that are added at each end."""
        return KERNEL // 2 if self.padded else 0

    def coarser(self, side: int) -> int:
        """Return the side of the features of the next level."""
        return (side + 2 * self.padding - KERNEL) // 2 + 1

    def reach(self, levels: int) -> int:
        """Return the smallest side of an image: the cell that a feature represents, or what the kernels cover."""
        return 2**levels if self.padded else 2**levels * (KERNEL - 1) - (KERNEL - 2)


PADDED = Strides()


class Encoder(nn.Module):
    """Images (B, 1, …) to features (B, channels[-1], …); every level halves the resolution.

    Args:
        spatial_dims: 2 or 3.
        channels: of every level.
        norm: builds the normalisation for a number of channels.
        strides: how a level halves the resolution.

    Attributes:
        reach: smallest side of an image.
    """

    def __init__(self, *, spatial_dims: int, channels: Sequence[int], norm: Norm, strides: Strides = PADDED) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[spatial_dims]
        self.reach = strides.reach(len(channels))
        self.down = nn.Sequential(
            *(
                nn.Sequential(
                    convolution(above, below, KERNEL, stride=2, padding=strides.padding), norm(below), nn.LeakyReLU(strides.slope)
                )
                for above, below in itertools.pairwise([1, *channels])
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Compute the features of images."""
        return self.down(x)


class Decoder(nn.Module):
    """The encoder's mirror image: features (B, channels[-1], …) to images (B, 1, …) of any size.

    Args:
        spatial_dims, channels, norm, strides: as in the encoder.
        entry: normalise and rectify the features first, as in the released code of Baur et al.
    """

    def __init__(self, *, spatial_dims: int, channels: Sequence[int], norm: Norm, entry: bool, strides: Strides = PADDED) -> None:
        super().__init__()
        self.strides, self.mode = strides, LINEAR[spatial_dims]
        finer = [*reversed(channels[:-1]), channels[0]]
        self.entry = nn.Sequential(norm(channels[-1]), nn.ReLU()) if entry else nn.Identity()
        self.up = nn.ModuleList(
            TRANSPOSED[spatial_dims](below, above, KERNEL, stride=2, padding=strides.padding)
            for below, above in zip(reversed(channels), finer, strict=True)
        )
        self.after_up = nn.ModuleList(nn.Sequential(norm(above), nn.LeakyReLU(strides.slope)) for above in finer)
        self.head = CONVOLUTIONS[spatial_dims](channels[0], 1, 1)

    def forward(self, features: Tensor, size: Sequence[int]) -> Tensor:
        """Compute images (B, 1, *size) from features, whose size is the last of `sizes`."""
        x, above = self.entry(features), self.sizes(size)[-2::-1]
        for larger, layers, target in zip(self.up, self.after_up, above, strict=True):
            x = layers(larger(x, output_size=target) if self.strides.padded else larger(x))
        x = self.head(x)
        return x if self.strides.padded else functional.interpolate(x, size=list(size), mode=self.mode)

    def sizes(self, size: Sequence[int]) -> list[list[int]]:
        """Return the sizes of an image and of its features at every level, the coarsest last."""
        sizes = [list(size)]
        for _ in self.up:
            sizes.append([self.strides.coarser(side) for side in sizes[-1]])
        return sizes


class DenseBottleneck(nn.Module):
    """Features to one vector and back.

    Args:
        spatial_dims: 2 or 3.
        channels: of the features.
        grid: cells per side to which the features are pooled, and from which they are interpolated; the published
            bottleneck has as many cells as the features.
        outputs: length of the vector that `encode` gives.
        latent_size: length of the vector that `decode` takes.
        dropout: on both sides of the vector.
    """

    def __init__(self, *, spatial_dims: int, channels: int, grid: int, outputs: int, latent_size: int, dropout: float) -> None:
        super().__init__()
        convolution, cells = CONVOLUTIONS[spatial_dims], DENSE_CHANNELS * grid**spatial_dims
        self.grid = [grid] * spatial_dims
        self.squeeze = convolution(channels, DENSE_CHANNELS, 1)
        self.dropout = nn.Dropout(dropout)
        self.inwards = nn.Linear(cells, outputs)
        self.outwards = nn.Linear(latent_size, cells)
        self.unsqueeze = convolution(DENSE_CHANNELS, channels, 1)

    def encode(self, features: Tensor) -> Tensor:
        """Compute vectors (B, outputs) from features (B, channels, …)."""
        pooled = POOL[len(self.grid)](self.squeeze(features), self.grid)
        return self.inwards(self.dropout(pooled.flatten(1)))

    def decode(self, vectors: Tensor, size: Sequence[int]) -> Tensor:
        """Compute features (B, channels, *size) from vectors (B, latent_size)."""
        cells = self.dropout(self.outwards(vectors)).unflatten(1, (DENSE_CHANNELS, *self.grid))
        return self.unsqueeze(functional.interpolate(cells, size=list(size), mode=LINEAR[len(self.grid)]))
