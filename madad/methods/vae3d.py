"""A 3D variational autoencoder with a dense bottleneck, the oldest kind of baseline.

Baur et al. 2021, Medical Image Analysis, doi:10.1016/j.media.2020.101952; in 3D as Lawry Aguila et al. 2025,
arXiv 2506.10233, compare it.

1. An encoder gives mean and variance of a short code of the whole volume, a decoder the volume of a code.
2. Training on healthy volumes: squared error of the volume decoded from a sample + KL divergence of the code from the normal
   law (Kingma & Welling 2014, arXiv 1312.6114), both summed over a volume and divided by the number of its voxels.
3. Test: the volume decoded from the mean of its code.
4. Map: |x - x'| in the brain, the smallest over displacements of x' by a voxel or two.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from madad.core.interfaces import Batch
from madad.models.diffusion.residuals import shift_robust_residual
from madad.models.networks.blocks import check_groups
from madad.models.networks.conv_autoencoder import Strides
from madad.models.networks.dense_vae import DenseVAE, divergence, sample
from madad.models.networks.tensor_layout import as_images, as_volume, check_reach

SLOPE = 0.2  # of the leaky rectifiers, released code of arXiv 2506.10233


class VAE3D(nn.Module):
    """Autoencoder of volumes; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        channels: list[int],
        norm_groups: int,
        strides: str,
        bottleneck_grid: int,
        latent_size: int,
        dropout: float,
        kl_weight: float,
        residual_shift: int,
    ) -> None:
        super().__init__()
        for count in channels:
            check_groups(norm_groups, count, "one of channels")
        self.network = DenseVAE(
            spatial_dims=3,
            channels=channels,
            norm=partial(nn.GroupNorm, norm_groups),
            bottleneck_grid=bottleneck_grid,
            latent_size=latent_size,
            dropout=dropout,
            entry=True,
            strides=Strides(padded=strides == "padded", slope=SLOPE),
            drop_law=True,
        )
        self.kl_weight = kl_weight
        self.residual_shift = residual_shift

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return squared error plus divergence of volumes (B, 1, S, H, W), both per voxel: a bound on the log-likelihood."""
        x = batch["image"]
        mean, log_variance = (part.float() for part in self._encode(x))
        x_hat = self.network.decode(sample(mean, log_variance, generator), x.shape[2:])
        error = (x_hat.float() - x).square().mean()
        cost = divergence(mean, log_variance).mean() / x[0].numel()
        return {"loss": error + self.kl_weight * cost, "error": error, "divergence": cost}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the network's error; nothing is clipped."""
        x = as_images(volume, spatial_dims=3)
        mean, _ = self._encode(x)
        return as_volume(self.network.decode(mean, x.shape[2:]), spatial_dims=3)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the residual in the brain (S, H, W), the smallest over the displacements that are forgiven."""
        return shift_robust_residual(volume, reconstruction, self.residual_shift, spatial_dims=3) * brain

    def encode(self, volume: Tensor) -> Tensor:
        """Return the code (1, latent_size) of a volume (S, 1, H, W)."""
        return self._encode(as_images(volume, spatial_dims=3))[0]

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        check_reach(x, self.network.reach, "vae3d.parameters.channels")
        return self.network.encode(x)
