"""A chain of steps back that is led towards the image wherever it did not stray far from it (THOR).

Bercea, Wiestler, Rueckert, Schnabel 2024, MICCAI, doi:10.1007/978-3-031-72120-5_20, arXiv 2403.08464.

1. A U-Net learns from healthy slices to predict the noise (the part `noise_predictor`).
2. Test: a chain from t = 350. Every 50 levels the estimate x_0' of that step is compared with the image: A_t = L r over its
   largest value in the slice, r = |x - x_0'| and L a blurred perceptual distance.
3. At some of these levels the chain goes on from R x_0' + (1 - R) x with the noise of the start; R is A_t and its morphological
   closing, dilated, in equal parts.
4. Map: the harmonic mean of all A_t in the brain, so that only what strays at every level counts.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from madad.models.diffusion.forward import from_signed, to_signed
from madad.models.diffusion.noise_chain import ChainMethod
from madad.models.diffusion.smoothing import gaussian_blur
from madad.models.networks.perceptual import Perception, perceptual_distance

PUBLISHED_SIDE = 128
LARGEST_SCORE = 0.999


class THOR(ChainMethod):
    """A chain that is harmonised with the image; hyper-parameters as in the card.

    Args:
        shared: the hyper-parameters of `ChainMethod`.
    """

    def __init__(
        self,
        *,
        perception: Perception | None,
        test_timestep: int,
        harmonise_at: list[int],
        compare_every: int,
        window: int,
        smoothing: float,
        **shared: Any,
    ) -> None:
        super().__init__("thor", test_timestep=test_timestep, **shared, largest_variance=False)
        self.perception = perception
        self.harmonised = {self.chain.nearest(level) for level in harmonise_at}
        self.compared = {self.chain.nearest(level) for level in range(test_timestep, 0, -compare_every)} | self.harmonised | {0}
        self.window, self.smoothing = window, smoothing
        self.walked: tuple[Tensor, Tensor] | None = None

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the end of the chain (S, 1, H, W) in [0, 1], and keep the scores of its steps for the map that follows."""
        x_0 = to_signed(volume)
        noise = self.chain.noise(x_0, generator)
        x, scores = self.chain.noised(x_0, len(self.chain.levels) - 1, noise), []
        for index in self.chain.backwards():
            x, estimate = self.chain.step(x, index, generator)
            if index in self.compared:
                scores.append(self.score(volume, from_signed(estimate)))
            if index in self.harmonised:
                x = self.chain.noised(harmonised(x_0, estimate, self.trust(scores[-1])), index - 1, noise)
        restored = from_signed(x)
        self.walked = restored, harmonic_mean(torch.stack(scores))
        return restored

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the harmonic mean of the scores in the brain (S, H, W), at most 0.999; released code."""
        if self.walked is None or reconstruction is not self.walked[0]:
            raise ValueError("the map needs what `reconstruct` has just returned")
        return self.walked[1].mean(dim=1) * brain

    def score(self, x: Tensor, estimate: Tensor) -> Tensor:
        """Return A_t in [0, 1] (S, 1, H, W) of slices and estimates in [0, 1], the largest of each slice 1."""
        distance = perceptual_distance(self.perception, x, estimate, self.slices_per_pass)
        sigma = self.smoothing * max(x.shape[2:]) / PUBLISHED_SIDE
        score = (x > 0) * (x - estimate).abs() * gaussian_blur(distance, sigma, axes=(2, 3)).clamp(0, 1)
        return score / score.amax(dim=(2, 3), keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)

    def trust(self, score: Tensor) -> Tensor:
        """Return R (S, 1, H, W) in [0, 1], how much of the estimate goes into a harmonised image."""
        window = max(1, round(self.window * max(score.shape[2:]) / PUBLISHED_SIDE) // 2 * 2 + 1)
        closed = -dilated(-dilated(score, window), window)
        return ((dilated(closed, window) + score) / 2).clamp(0, 1)


def harmonised(x_0: Tensor, estimate: Tensor, trust: Tensor) -> Tensor:
    """Return R x_0' + (1 - R) x, of images in [-1, 1]."""
    return trust * estimate + (1 - trust) * x_0


def dilated(images: Tensor, window: int) -> Tensor:
    """Return the largest value in a square window around each voxel of (B, 1, H, W); the outside of the image does not count."""
    return functional.max_pool2d(images, window, stride=1, padding=window // 2)


def harmonic_mean(scores: Tensor) -> Tensor:
    """Return the harmonic mean over the first axis, at most 0.999; 0 wherever one score is 0."""
    return (len(scores) / scores.reciprocal().sum(dim=0)).clamp(max=LARGEST_SCORE)
