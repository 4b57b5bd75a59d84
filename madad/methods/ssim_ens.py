"""Structural dissimilarity in windows of several sizes, on any method that reconstructs (SSIM-ens).

Behrendt et al. 2024, ISBI, arXiv 2403.14262.

1. A trained method gives a pseudo-healthy volume x'; of several draws their mean.
2. For every sigma_k the structural similarity S_k of x and x' in 3D, in a Gaussian window of that width.
3. Weights w_k = exp(-S_k) / sum_j exp(-S_j) at every voxel: what is less similar weighs more.
4. Map: 1 - sum_k w_k S_k in the brain. Nothing is trained here.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from madad.core.interfaces import Method
from madad.models.diffusion.structural_similarity import check_window, dissimilarity, precise
from madad.models.untrained import Head

# of dissimilarities D_k = 1 - S_k (K, S, H, W): exp(-S_k) is exp(D_k) up to a factor that all share
WEIGHTINGS = {
    "softmax": lambda scales: (scales.softmax(dim=0) * scales).sum(dim=0),
    "mean": lambda scales: scales.mean(dim=0),
    "max": lambda scales: scales.amax(dim=0),
}


class SSIMEnsemble(Head):
    """Scores of a method's reconstructions; hyper-parameters as in the card."""

    def __init__(self, *, model: Method, sigmas: Sequence[float], weighting: str) -> None:
        super().__init__(model)
        self.sigmas = sigmas
        self.combine = WEIGHTINGS[weighting]

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the model's pseudo-healthy volumes (N, S, 1, H, W); N is 1 unless it draws several."""
        return self.drawn(volume, generator)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the weighted dissimilarity (S, H, W) in the brain, averaged over the channels; arXiv 2403.14262, section 2."""
        if reconstruction is None:
            raise ValueError("the map needs the reconstruction")
        check_window(brain.shape, max(self.sigmas), "ssim_ens")
        mean = precise(reconstruction.reshape(-1, *volume.shape)).mean(dim=0)
        maps = [self._score(*pair) for pair in zip(mean.unbind(1), precise(volume).unbind(1), strict=True)]
        return torch.stack(maps).mean(0).to(volume.dtype) * brain

    def _score(self, reconstruction: Tensor, x: Tensor) -> Tensor:
        return self.combine(torch.stack([dissimilarity(reconstruction, x, sigma) for sigma in self.sigmas]))
