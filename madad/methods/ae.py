"""Autoencoder of slices with a dense or a spatial bottleneck, the oldest deep baseline.

Baur, Denner, Wiestler, Navab, Albarqouni 2021, Medical Image Analysis, doi:10.1016/j.media.2020.101952.

1. An encoder compresses a slice to one vector (`dense`) or to a coarse tensor with spatial axes (`spatial`).
2. A decoder reconstructs the slice.
3. Training on healthy slices: |x - x'|.
4. Test: one pass. What healthy slices do not contain should not pass the bottleneck.
5. Map: |x - x'| in the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from madad.core.interfaces import Batch
from madad.models.diffusion.residuals import residual
from madad.models.networks.conv_autoencoder import Decoder, DenseBottleneck, Encoder
from madad.models.networks.tensor_layout import check_reach, in_passes


class AE(nn.Module):
    """Autoencoder of slices; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        bottleneck: str,
        channels: list[int],
        bottleneck_grid: int,
        latent_size: int,
        dropout: float,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(spatial_dims=2, channels=channels, norm=nn.BatchNorm2d)
        self.dense = (
            DenseBottleneck(
                spatial_dims=2,
                channels=channels[-1],
                grid=bottleneck_grid,
                outputs=latent_size,
                latent_size=latent_size,
                dropout=dropout,
            )
            if bottleneck == "dense"
            else None
        )
        self.dropout = nn.Dropout(dropout)
        self.decoder = Decoder(spatial_dims=2, channels=channels, norm=nn.BatchNorm2d, entry=True)
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the mean absolute error of healthy slices (B, 1, H, W)."""
        x = batch["image"]
        return {"loss": (self._decode(self._encode(x), x) - x).abs().mean()}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the network's error; nothing is clipped."""
        return in_passes(lambda x: self._decode(self._encode(x), x), self.slices_per_pass, volume)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the residual (S, H, W) in the brain."""
        return residual(volume, reconstruction) * brain

    def encode(self, volume: Tensor) -> Tensor:
        """Return one code per slice of a volume (S, 1, H, W), as a vector: (S, K)."""
        return in_passes(lambda x: self._encode(x).flatten(1), self.slices_per_pass, volume)

    def _encode(self, x: Tensor) -> Tensor:
        check_reach(x, self.encoder.reach, "ae.parameters.channels")
        features = self.encoder(x)
        return self.dense.encode(features) if self.dense else self.dropout(features)

    def _decode(self, z: Tensor, x: Tensor) -> Tensor:
        size = x.shape[2:]
        return self.decoder(self.dense.decode(z, self.decoder.sizes(size)[-1]) if self.dense else z, size)
