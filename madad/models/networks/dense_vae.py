"""A variational autoencoder whose code is one vector an image, too short to hold a lesion, in 2D and 3D.

Source: the dense bottleneck of Baur et al. 2021 (doi:10.1016/j.media.2020.101952); Kingma & Welling 2014 (arXiv 1312.6114).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from madad.models.networks.conv_autoencoder import Decoder, DenseBottleneck, Encoder, Norm


class DenseVAE(nn.Module):
    """Images of any size with at least `reach` voxels a side.

    Args:
        spatial_dims: 2 or 3.
        channels: of every level; each halves the resolution.
        norm: makes the normalisation of so many channels.
        bottleneck_grid: cells a side between the features and the code.
        latent_size: length of the code.
        dropout: on both sides of the code.
        entry: normalise and rectify what enters the decoder.
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
    ) -> None:
        super().__init__()
        shared = dict(spatial_dims=spatial_dims, channels=channels, norm=norm)
        self.encoder = Encoder(**shared)
        self.bottleneck = DenseBottleneck(
            spatial_dims=spatial_dims,
            channels=channels[-1],
            grid=bottleneck_grid,
            outputs=2 * latent_size,
            latent_size=latent_size,
            dropout=dropout,
        )
        self.decoder = Decoder(**shared, entry=entry)
        self.reach = self.encoder.reach

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (B, latent_size) of the codes of images (B, 1, …)."""
        mean, log_variance = self.bottleneck.encode(self.encoder(x)).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor, size: Sequence[int]) -> Tensor:
        """Images (B, 1, *size) of codes (B, latent_size)."""
        return self.decoder(self.bottleneck.decode(z, self.decoder.sizes(size)[-1]), size)


def sample(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """z = mu + sigma * epsilon; Kingma & Welling 2014, section 2.4."""
    noise = torch.randn(mean.shape, generator=generator).to(mean)
    return mean + (0.5 * log_variance).exp() * noise


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)), summed over the last axis; Kingma & Welling 2014, appendix B."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=-1)
