"""Variational autoencoder of slices, scored by its reconstruction or by restoration of the image under its prior.

Baur et al. 2021, Medical Image Analysis, doi:10.1016/j.media.2020.101952; restoration after Chen, You, Tezcan & Konukoglu
2020, Medical Image Analysis, doi:10.1016/j.media.2020.101713.

1. An encoder gives mean and variance of the code of a slice, a decoder the slice of a code.
2. Training on healthy slices: E(x) = |x - x'|_1 + KL(code || normal law), x' decoded from a sample of the code.
3. `reconstruction`: x' is decoded from the mean of the code.
4. `restoration`: from x' = y, the image, some steps down the gradient of E(x') + `tv_weight` TV(x' - y), with the code at its
   mean: the image moves towards healthy ones, in patches, because total variation penalises single voxels.
5. Map: |y - x'| in the brain.

Deviations from the papers: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from madad.core.interfaces import Batch
from madad.models.diffusion.residuals import residual
from madad.models.networks.dense_vae import DenseVAE, divergence, sample
from madad.models.networks.tensor_layout import check_reach, in_passes

# Differences of intensity below this have little weight in the restoration.
ROUNDING = 0.01


class VAE(nn.Module):
    """Variational autoencoder of slices; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        channels: list[int],
        bottleneck_grid: int,
        latent_size: int,
        dropout: float,
        kl_weight: float,
        scoring: str,
        restoration_steps: int,
        restoration_rate: float,
        tv_weight: float,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        self.network = DenseVAE(
            spatial_dims=2,
            channels=channels,
            norm=nn.BatchNorm2d,
            bottleneck_grid=bottleneck_grid,
            latent_size=latent_size,
            dropout=dropout,
            entry=True,
        )
        self.kl_weight = kl_weight
        self.healthy = {"reconstruction": self._reconstructed, "restoration": self._restored}[scoring]
        self.restoration_steps = restoration_steps
        self.restoration_rate = restoration_rate
        self.tv_weight = tv_weight
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the negative bound on the log-likelihood of healthy slices (B, 1, H, W), in nats per pixel plus a constant."""
        x = batch["image"]
        mean, log_variance = (part.float() for part in self._encode(x))
        error = (self.network.decode(sample(mean, log_variance, generator), x.shape[2:]) - x).abs().mean()
        cost = divergence(mean, log_variance).mean() / x[0].numel()
        return {"loss": error + self.kl_weight * cost, "error": error, "divergence": cost}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the network's error; nothing is clipped."""
        return in_passes(self.healthy, self.slices_per_pass, volume)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the residual (S, H, W) in the brain."""
        return residual(volume, reconstruction) * brain

    def encode(self, volume: Tensor) -> Tensor:
        """Return the mean code (S, latent_size) of every slice of a volume (S, 1, H, W)."""
        return in_passes(lambda x: self._encode(x)[0], self.slices_per_pass, volume)

    def restoration_cost(self, x: Tensor, y: Tensor) -> Tensor:
        """Return E(x) + lambda TV(x - y) of restored slices x of images y, both (B, 1, H, W): (B,) in nats. Chen et al. 2020."""
        mean, log_variance = self._encode(x)
        error = smooth_abs(self.network.decode(mean, x.shape[2:]) - x)
        return error + self.kl_weight * divergence(mean, log_variance) + self.tv_weight * total_variation(x - y)

    def _reconstructed(self, x: Tensor) -> Tensor:
        return self.network.decode(self._encode(x)[0], x.shape[2:])

    @torch.inference_mode(False)
    @torch.enable_grad()
    def _restored(self, image: Tensor) -> Tensor:
        y = image.clone()  # tensors made in inference mode have no gradient
        x = y.clone()
        for _ in range(self.restoration_steps):
            x.requires_grad_()
            (gradient,) = torch.autograd.grad(self.restoration_cost(x, y).sum(), x)
            x = x.detach() - self.restoration_rate * gradient
        return x

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        check_reach(x, self.network.reach, "vae.parameters.channels")
        return self.network.encode(x)


def total_variation(image: Tensor) -> Tensor:
    """Sum the smoothed absolute differences between neighbours in a slice, (B,) of (B, 1, H, W).

    Rudin, Osher & Fatemi 1992 (doi:10.1016/0167-2789(92)90242-F), anisotropic.
    """
    return smooth_abs(image.diff(dim=2)) + smooth_abs(image.diff(dim=3))


def smooth_abs(difference: Tensor) -> Tensor:
    """Sum sqrt(d^2 + e^2) - e in place of |d|, (B,) of (B, …): at a kink, steps of a fixed length would oscillate."""
    return ((difference.square() + ROUNDING**2).sqrt() - ROUNDING).flatten(1).sum(dim=1)
