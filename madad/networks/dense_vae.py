"""A 3D variational autoencoder whose code is one vector a volume, too short to hold a lesion.

Source: the spatial autoencoder with a dense bottleneck of Baur et al. 2021 (doi:10.1016/j.media.2020.101952),
in 3D; Kingma & Welling 2014 (arXiv 1312.6114).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from madad.networks.blocks import check_groups

KERNEL = dict(kernel_size=5, stride=2, padding=2)
# Channels that the dense layers see.
BOTTLENECK_CHANNELS = 16


class DenseVAE(nn.Module):
    """Volumes of any size with at least `reach` voxels a side.

    Args:
        channels: of every level; each halves the resolution.
        norm_groups: groups of the group norm; must divide every number of channels.
        bottleneck_grid: the coarsest features are pooled to, and spread from, so many cells a side; as many as they have
            makes it the published network.
        latent_size: length of the code.
        dropout: on both sides of the code.

    Raises:
        UserError: groups that do not divide the channels.
    """

    def __init__(
        self, *, channels: Sequence[int], norm_groups: int, bottleneck_grid: int, latent_size: int, dropout: float
    ) -> None:
        super().__init__()
        for count in channels:
            check_groups(norm_groups, count, "one of channels")
        self.reach = 2 ** len(channels)
        self.grid = [bottleneck_grid] * 3
        cells = BOTTLENECK_CHANNELS * bottleneck_grid**3
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv3d(above, below, **KERNEL), nn.GroupNorm(norm_groups, below), nn.LeakyReLU())
            for above, below in itertools.pairwise([1, *channels])
        )
        self.squeeze = nn.Conv3d(channels[-1], BOTTLENECK_CHANNELS, 1)
        self.dropout = nn.Dropout(dropout)
        self.posterior = nn.Linear(cells, 2 * latent_size)
        self.spread = nn.Linear(latent_size, cells)
        self.unsqueeze = nn.Conv3d(BOTTLENECK_CHANNELS, channels[-1], 1)
        finer = [*reversed(channels[:-1]), channels[0]]
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(below, above, **KERNEL) for below, above in zip(reversed(channels), finer, strict=True)
        )
        self.after_up = nn.ModuleList(nn.Sequential(nn.GroupNorm(norm_groups, above), nn.LeakyReLU()) for above in finer)
        self.head = nn.Conv3d(channels[0], 1, 1)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (B, latent_size) of the codes of volumes (B, 1, S, H, W)."""
        for layers in self.down:
            x = layers(x)
        x = functional.adaptive_avg_pool3d(self.squeeze(x), self.grid).flatten(1)
        mean, log_variance = self.posterior(self.dropout(x)).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor, size: Sequence[int]) -> Tensor:
        """Volumes (B, 1, *size) of codes (B, latent_size)."""
        sizes = [list(size)]
        for _ in self.up:
            sizes.append([(side + 1) // 2 for side in sizes[-1]])
        x = self.dropout(self.spread(z)).unflatten(1, (BOTTLENECK_CHANNELS, *self.grid))
        x = self.unsqueeze(functional.interpolate(x, size=sizes.pop(), mode="trilinear"))
        for larger, layers in zip(self.up, self.after_up, strict=True):
            x = layers(larger(x, output_size=sizes.pop()))
        return self.head(x)
