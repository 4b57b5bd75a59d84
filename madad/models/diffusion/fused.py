"""Counterfactuals that change part of an image: a deterministic chain into the noise, a stochastic one back where it may change.

Source: Fontanella et al. 2023 (Dif-fuse, arXiv 2308.02062), on the steps of Song et al. 2021 (DDIM, arXiv 2010.02502).
Networks come in as callables that predict the noise from x_t and t.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from madad.core import draws
from madad.models.diffusion.gated import ddim_coefficients

PredictNoise = Callable[[Tensor, int], Tensor]


def invert(predict: PredictNoise, x_0: Tensor, timesteps: Sequence[int], alphas_cumprod: np.ndarray) -> list[Tensor]:
    """Take an image into the noise by DDIM steps with eta = 0, run backwards, and return its states (Song et al. 2021, eq. 14).

    The noise at a level is taken to be that which the network sees one level below.

    Args:
        predict: noise (B, C, H, W) of x_t (B, C, H, W) and t.
        x_0: (B, C, H, W).
        timesteps: rising indices into the table.
        alphas_cumprod: (T,).

    Returns:
        [x_0, x at the first of the timesteps, …, x at the last].
    """
    states, before, seen = [x_0], 1.0, timesteps[0]
    for t in timesteps:
        alpha_bar = float(alphas_cumprod[t])
        noise, x = predict(states[-1], seen), states[-1]
        clean = (x - math.sqrt(1 - before) * noise) / math.sqrt(before)
        states.append(math.sqrt(alpha_bar) * clean + math.sqrt(1 - alpha_bar) * noise)
        before, seen = alpha_bar, t
    return states


def fused(
    predict: PredictNoise,
    states: Sequence[Tensor],
    region: Tensor,
    *,
    timesteps: Sequence[int],
    alphas_cumprod: np.ndarray,
    generator: torch.Generator,
) -> Tensor:
    """Walk back from the last state: random steps in the region, the states of the image itself outside, joined at every step.

    Source: Fontanella et al. 2023; the random step is that of DDPM (Song et al. 2021, eq. 12 with eta = 1).

    Args:
        predict, timesteps, alphas_cumprod: as in `invert`.
        states: from `invert`.
        region: (B, 1, H, W) bool.
        generator: CPU generator.

    Returns:
        (B, C, H, W), x_0 itself outside the region.
    """
    x = states[-1]
    for index in reversed(range(len(timesteps))):
        t = timesteps[index]
        alpha_bar, before = float(alphas_cumprod[t]), float(alphas_cumprod[timesteps[index - 1]]) if index else 1.0
        on_state, on_clean, sigma = ddim_coefficients(alpha_bar, before, eta=1.0)
        clean = (x - math.sqrt(1 - alpha_bar) * predict(x, t)) / math.sqrt(alpha_bar)
        drawn = on_state * x + on_clean * clean
        if sigma > 0:
            drawn = drawn + sigma * draws.normal_like(x, generator)
        x = torch.where(region, drawn, states[index])
    return x
