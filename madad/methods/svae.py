"""Variational autoencoder of slices with a sequence model over the codes of a volume.

Behrendt, Bengs, Bhattacharya, Krüger, Opfer, Schlaefer 2022, MIDL short papers,
https://openreview.net/forum?id=db8wDgKH4p4; the row SVAE of arXiv 2303.03758.

1. An encoder turns every slice of a volume into a vector.
2. A sequence model passes along the slices, in both directions: a recurrent network (`gru`) or self-attention (`attention`).
3. Its output for a slice is mean and variance of the slice's code; a decoder gives the slice of a code.
4. Training on healthy volumes: |x - x'| + KL divergence of the codes from the normal law.
5. Test: decoded from the means. Map: |x - x'| in the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from madad.core.interfaces import Batch
from madad.models.diffusion.residuals import residual
from madad.models.networks.conv_autoencoder import Decoder, DenseBottleneck, Encoder
from madad.models.networks.dense_vae import divergence, sample
from madad.models.networks.sequence import SliceAttention, SliceGRU
from madad.models.networks.tensor_layout import check_reach

SEQUENCES = {"gru": SliceGRU, "attention": SliceAttention}


class SVAE(nn.Module):
    """Sequential variational autoencoder; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        sequence: str,
        channels: list[int],
        bottleneck_grid: int,
        latent_size: int,
        dropout: float,
        kl_weight: float,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(spatial_dims=2, channels=channels, norm=nn.BatchNorm2d)
        self.bottleneck = DenseBottleneck(
            spatial_dims=2,
            channels=channels[-1],
            grid=bottleneck_grid,
            outputs=latent_size,
            latent_size=latent_size,
            dropout=dropout,
        )
        self.sequence = SEQUENCES[sequence](latent_size)
        self.posterior = nn.Linear(latent_size, 2 * latent_size)
        self.decoder = Decoder(spatial_dims=2, channels=channels, norm=nn.BatchNorm2d, entry=True)
        self.kl_weight = kl_weight

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the negative log-likelihood bound of healthy volumes (B, 1, S, H, W), in nats per voxel plus a constant."""
        x = batch["image"].transpose(1, 2)
        mean, log_variance = (part.float() for part in self._encode(x))
        error = (self._decode(sample(mean, log_variance, generator), x) - x).abs().mean()
        cost = divergence(mean, log_variance).mean() / x[0, 0].numel()
        return {"loss": error + self.kl_weight * cost, "error": error, "divergence": cost}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the network's error; nothing is clipped."""
        x = volume.unsqueeze(0)
        return self._decode(self._encode(x)[0], x)[0]

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the residual (S, H, W) in the brain."""
        return residual(volume, reconstruction) * brain

    def encode(self, volume: Tensor) -> Tensor:
        """Return the mean code (S, latent_size) of every slice of a volume (S, 1, H, W)."""
        return self._encode(volume.unsqueeze(0))[0][0]

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log variances (B, S, latent_size) of volumes (B, S, 1, H, W)."""
        slices = x.flatten(0, 1)
        check_reach(slices, self.encoder.reach, "svae.parameters.channels")
        vectors = self.bottleneck.encode(self.encoder(slices)).unflatten(0, x.shape[:2])
        mean, log_variance = self.posterior(self.sequence(vectors)).chunk(2, dim=2)
        return mean, log_variance

    def _decode(self, z: Tensor, x: Tensor) -> Tensor:
        size = x.shape[3:]
        features = self.bottleneck.decode(z.flatten(0, 1), self.decoder.sizes(size)[-1])
        return self.decoder(features, size).unflatten(0, x.shape[:2])
