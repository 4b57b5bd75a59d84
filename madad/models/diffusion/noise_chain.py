"""Walks back from a noisy image with a network that predicts the noise, one step of DDPM after another.

Source: Ho et al. 2020 (arXiv 2006.11239), algorithm 2, with estimates clipped to [-1, 1] at every step and noise of the law of
the training, as in the released codes of AnoDDPM (doi:10.1109/CVPRW56347.2022.00080), AutoDDPM (arXiv 2305.19643) and THOR
(arXiv 2403.08464).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from madad.models.diffusion import ancestral, sampling
from madad.models.diffusion.forward import add_noise
from madad.models.diffusion.noise import NoiseLaw
from madad.models.networks.tensor_layout import in_passes
from madad.models.untrained import Untrained


class Predictor(Protocol):
    """What the methods use of the part in their role `predictor`.

    Attributes:
        alphas_cumprod: (T,) the schedule.
        noise_law: of the training.
    """

    alphas_cumprod: np.ndarray
    noise_law: NoiseLaw

    def predict(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Predict the noise (B, 1, H, W) of slices x_t (B, 1, H, W) in [-1, 1], up to noise, at levels t (B,)."""
        ...


@dataclass(frozen=True)
class NoiseChain:
    """A way back from one noise level in some number of steps.

    Attributes:
        predictor: the network, its schedule and its noise.
        levels: those of the chain, from the cleanest up.
        largest_variance: whether steps have the variance beta_t, otherwise beta-tilde_t.
        slices_per_pass: images that go through the network together; affects memory, not the result.
    """

    predictor: Predictor
    levels: ancestral.Chain
    largest_variance: bool
    slices_per_pass: int

    def noise(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Draw noise in the shape of the images (B, C, H, W), each its own."""
        return self.predictor.noise_law(x, generator)

    def noised(self, x_0: Tensor, index: int, noise: Tensor) -> Tensor:
        """Return images at a level of the chain, given by its position; below the cleanest they are as they were."""
        return x_0 if index < 0 else add_noise(x_0, noise, torch.full((len(x_0),), index), self.levels.alphas_cumprod)

    def step(self, x_t: Tensor, index: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return images one level cleaner, and the estimate of the clean images that led there, clipped to [-1, 1]."""
        t = torch.full((len(x_t),), int(self.levels.timesteps[index]), device=x_t.device)
        epsilon = in_passes(self.predictor.predict, self.slices_per_pass, x_t, t)
        alpha_bar = float(self.levels.alphas_cumprod[index])
        x_0 = ((x_t - (1 - alpha_bar) ** 0.5 * epsilon) / alpha_bar**0.5).clamp(-1, 1)
        if index == 0:
            return x_0, x_0
        logarithms = self.levels.log_largest if self.largest_variance else self.levels.log_smallest
        mean = float(self.levels.weight_x_0[index]) * x_0 + float(self.levels.weight_x_t[index]) * x_t
        return mean + float(np.exp(logarithms[index] / 2)) * self.noise(x_t, generator), x_0

    def restored(self, x_0: Tensor, generator: torch.Generator) -> Tensor:
        """Noise images (B, C, H, W) in [-1, 1] to the last level and walk back to clean ones."""
        x = self.noised(x_0, len(self.levels) - 1, self.noise(x_0, generator))
        for index in self.backwards():
            x, _ = self.step(x, index, generator)
        return x

    def backwards(self) -> Iterator[int]:
        """Return the positions of the levels, the noisiest first."""
        return reversed(range(len(self.levels)))

    def nearest(self, level: int) -> int:
        """Return the position of the level that is nearest to one of the schedule, counted from 1."""
        return int(np.abs(self.levels.timesteps - (level - 1)).argmin())


def build(
    predictor: Predictor, start: int, steps: int, key: str, slices_per_pass: int, *, largest_variance: bool = False
) -> NoiseChain:
    """Return a chain.

    Args:
        predictor: the trained part.
        start: level at which it begins, counted from 1.
        steps: to a clean image; 0 for every level.
        key: names of the settings of both in the card, as "<method>.parameters: <start> and <steps>", for errors.
        slices_per_pass: see `NoiseChain`, as for `largest_variance`.

    Raises:
        UserError: a level beyond the last, or more steps than levels.
    """
    (index,) = sampling.level_indices([start], len(predictor.alphas_cumprod), key)
    timesteps = ancestral.respaced(index, steps, key)
    return NoiseChain(predictor, ancestral.chain(predictor.alphas_cumprod, timesteps), largest_variance, slices_per_pass)


class ChainMethod(Untrained):
    """The base class of methods that walk back from a noise level with a trained predictor.

    Args:
        method: its name, for error messages.
        predictor: the trained part.
        test_timestep: level at which the chain begins, counted from 1.
        sampling_steps: to a clean image; 0 for every level.
        slices_per_pass: see `NoiseChain`, as for `largest_variance`.

    Attributes:
        chain: the way back.
    """

    def __init__(
        self,
        method: str,
        /,
        *,
        predictor: Predictor,
        test_timestep: int,
        sampling_steps: int,
        slices_per_pass: int,
        largest_variance: bool,
    ) -> None:
        super().__init__()
        self.predictor = predictor
        key = f"{method}.parameters: test_timestep and sampling_steps"
        self.chain = build(predictor, test_timestep, sampling_steps, key, slices_per_pass, largest_variance=largest_variance)
        self.slices_per_pass = slices_per_pass
