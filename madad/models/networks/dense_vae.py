"""A variational autoencoder whose code is one vector per image, too short to represent a lesion, in 2D and 3D.

Source: the dense bottleneck of Baur et al. 2021 (doi:10.1016/j.media.2020.101952); Kingma & Welling 2014 (arXiv 1312.6114).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from madad.core import draws
from madad.models.networks.conv_autoencoder import PADDED, Decoder, DenseBottleneck, Encoder, Norm, Strides


class DenseVAE(nn.Module):
    """Images of any size with at least `reach` voxels per side.

    Args:
        spatial_dims: 2 or 3.
        channels: of every level; each halves the resolution.
        norm: builds the normalisation for a number of channels.
        bottleneck_grid: cells per side between the features and the code.
        latent_size: length of the code.
        dropout: on both sides of the code, or of the numbers of its law.
        entry: normalise and rectify the input of the decoder.
        strides: how the levels change the resolution.
        drop_law: drop means and log variances instead of what the dense layers take and give.
    """

    def __init__(
        self,
        *,
        spatial_dims: int,
        channels: Sequence[int],
        norm: Norm,
        bottleneck_grid: int,
        latent_size: int,
        dropout: float,
        entry: bool,
        strides: Strides = PADDED,
        drop_law: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(spatial_dims=spatial_dims, channels=channels, norm=norm, strides=strides)
        self.bottleneck = DenseBottleneck(
            spatial_dims=spatial_dims,
            channels=channels[-1],
            grid=bottleneck_grid,
            outputs=2 * latent_size,
            latent_size=latent_size,
            dropout=0.0 if drop_law else dropout,
        )
        self.dropout = nn.Dropout(dropout if drop_law else 0.0)
        self.decoder = Decoder(spatial_dims=spatial_dims, channels=channels, norm=norm, entry=entry, strides=strides)
        self.reach = self.encoder.reach

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance (B, latent_size) of the codes of images (B, 1, …)."""
        mean, log_variance = self.dropout(self.bottleneck.encode(self.encoder(x))).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor, size: Sequence[int]) -> Tensor:
        """Decode images (B, 1, *size) from codes (B, latent_size)."""
        return self.decoder(self.bottleneck.decode(z, self.decoder.sizes(size)[-1]), size)


def sample(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """Return z = mu + sigma * epsilon; Kingma & Welling 2014, section 2.4."""
    noise = draws.normal_like(mean, generator)
    return mean + (0.5 * log_variance).exp() * noise


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) || N(0, 1)), summed over the last axis; Kingma & Welling 2014, appendix B."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=-1)
