"""Mahalanobis distance from several pseudo-healthy volumes, on any method that draws them at random (MHD).

Behrendt et al. 2024, MICCAI, arXiv 2407.12474.

1. The model draws N pseudo-healthy volumes, each with noise of its own; mu is their mean, d = x - mu.
2. A slice's brain voxels have covariance Sigma = C^T C / (N - 1) + lambda I over the draws, C the centred draws.
3. Distance of a voxel: sqrt(d_i (Sigma^-1 d)_i), its share of the squared Mahalanobis distance; 0 where that is negative.
4. Distances are scaled to [0, 1] by volume and smoothed (Gaussian, sigma 1 voxel) to a weight w.
5. Map: (1 - SSIM(mu, x)) w inside the brain, SSIM in 3D, of a single slice in 2D. Nothing is trained here.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from madad.core.interfaces import Method
from madad.models.diffusion.smoothing import gaussian_blur
from madad.models.diffusion.structural_similarity import check_window, dissimilarity, precise
from madad.models.untrained import Head

SIGMA = 1.0  # voxels, of the window of SSIM and of the smoothed weight


class MHD(Head):
    """Map of a method's random reconstructions; hyper-parameters as in the card."""

    def __init__(self, *, model: Method, draws: int, ridge: float, covariance: str, residual: str) -> None:
        super().__init__(model)
        self.draws = draws
        self.ridge = ridge
        self.squared_distance = SQUARED_DISTANCES[covariance]
        self.residual = RESIDUALS[residual]

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volumes (N, S, C, H, W) of a volume (S, C, H, W), all from one generator."""
        return self.drawn(volume, generator, self.draws)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the weighted residual (S, H, W) of the mean reconstruction in the brain, averaged over the channels."""
        if reconstruction is None:
            raise ValueError("the map is made from drawn reconstructions")
        check_window(brain.shape, SIGMA, "mhd")
        pairs = zip(precise(volume).unbind(1), precise(reconstruction).unbind(2), strict=True)
        maps = [self.residual(draws.mean(0), x) * self._weight(x, draws, brain) for x, draws in pairs]
        return torch.stack(maps).mean(0).to(volume.dtype) * brain

    def _weight(self, x: Tensor, draws: Tensor, brain: Tensor) -> Tensor:
        """Return the weight w (S, H, W) of a channel x (S, H, W) and its draws (N, S, H, W)."""
        if self.squared_distance is None:
            return torch.ones_like(x)
        distance = torch.zeros_like(x)
        for index, inside in enumerate(brain):
            drawn = draws[:, index, inside]
            d, centred = x[index, inside] - drawn.mean(0), drawn - drawn.mean(0)
            distance[index, inside] = self.squared_distance(d, centred, self.ridge).clamp(min=0).sqrt()
        return gaussian_blur(to_unit_range(distance), SIGMA, axes=(0, 1, 2))


def full_covariance(d: Tensor, centred: Tensor, ridge: float) -> Tensor:
    """Return d_i (Sigma^-1 d)_i, whose sum is the squared Mahalanobis distance; single voxels can be negative.

    Woodbury's identity takes an N x N system instead of the inverse of Sigma, which is M x M:
    Sigma^-1 d = (d - C^T (C C^T + (N - 1) lambda I)^-1 C d) / lambda.

    Args:
        d: (M,) difference of each voxel from the mean of the draws.
        centred: C (N, M), draws minus their mean.
        ridge: lambda.
    """
    number = len(centred)
    system = centred @ centred.T + (number - 1) * ridge * torch.eye(number, dtype=d.dtype, device=d.device)
    return d * (d - centred.T @ torch.linalg.solve(system, centred @ d)) / ridge


def diagonal_covariance(d: Tensor, centred: Tensor, ridge: float) -> Tensor:
    """Return d_i^2 / (sigma_i^2 + lambda): as `full_covariance`, for voxels that do not vary together."""
    return d**2 / (centred.square().sum(0) / (len(centred) - 1) + ridge)


def to_unit_range(volume: Tensor) -> Tensor:
    """Scale a volume to [0, 1]; a constant volume becomes 0."""
    span = volume.max() - volume.min()
    return (volume - volume.min()) / span.clamp(min=torch.finfo(volume.dtype).tiny)


SQUARED_DISTANCES = {"full": full_covariance, "diagonal": diagonal_covariance, "mean": None}
RESIDUALS = {
    "ssim": partial(dissimilarity, sigma=SIGMA),
    "l1": lambda reconstruction, x: (x - reconstruction).abs(),
    "l2": lambda reconstruction, x: (x - reconstruction).square(),
}
