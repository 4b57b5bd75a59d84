"""DDIM that updates only what looks noisy: the inference of MAD-AD, on an image to which no noise was added.

Source: Song et al. 2021 (DDIM, arXiv 2010.02502), eq. 12 and 16; the gate is that of Beizaee et al. 2025 (MAD-AD,
arXiv 2502.16943) and its released code.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from madad.configuration.card_constraints import strides, unevenly_spaced
from madad.core import draws
from madad.core.errors import UserError

# (z_t, t) to the clean z and the probability of each cell being clean already, (B, 1, h, w)
GatedDenoise = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
CLEAN = 0.5


def respaced(steps: int, num_train_timesteps: int, key: str) -> list[int]:
    """Return the levels of a shorter chain, noisiest first: every s-th from 0 on, if some s gives that number of levels.

    Args:
        steps: how many.
        num_train_timesteps: levels of the whole chain.
        key: of the configuration, for the message.

    Raises:
        UserError: no stride gives this number of levels; the message lists the numbers that are possible.
    """
    chains = strides(num_train_timesteps)
    if steps not in chains:
        raise UserError(f"{key}: {unevenly_spaced(steps, num_train_timesteps)}")
    return list(range(0, num_train_timesteps, chains[steps]))[::-1]


def ddim_coefficients(alpha_bar: float, alpha_bar_before: float, eta: float) -> tuple[float, float, float]:
    """Return a, b and sigma of z_before = a z_t + b z_0 + sigma n; DDIM, eq. 12 solved for z_t and z_0, sigma from eq. 16.

    Args:
        alpha_bar: of the level t.
        alpha_bar_before: of the next cleaner level; 1 for a clean image.
        eta: 0 for a deterministic step, 1 for that of DDPM.
    """
    sigma = eta * math.sqrt((1 - alpha_bar_before) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_before))
    on_state = math.sqrt(max(1 - alpha_bar_before - sigma**2, 0.0) / (1 - alpha_bar))
    return on_state, math.sqrt(alpha_bar_before) - on_state * math.sqrt(alpha_bar), sigma


def gated_ddim(
    denoise: GatedDenoise,
    z: Tensor,
    *,
    timesteps: list[int],
    alphas_cumprod: np.ndarray,
    eta: float,
    sticky: bool,
    generator: torch.Generator,
    batch_size: int,
) -> Tensor:
    """Treat latents as the noisiest state of the chain and clean the cells that the network marks as noisy.

    All other cells stay exactly as they were.

    Args:
        denoise: see `GatedDenoise`; its clean latents are not clipped.
        z: (S, C, h, w), as encoded; no noise is added first.
        timesteps: from `respaced`.
        alphas_cumprod: (T,) of the whole chain.
        eta: see `ddim_coefficients`.
        sticky: a cell once marked as noisy is updated at every later step; otherwise every step decides again.
        generator: of the noise that every step but the last adds.
        batch_size: images per pass; affects memory, not the result.

    Returns:
        (S, C, h, w).
    """
    noisy = torch.zeros_like(z[:, :1], dtype=torch.bool)
    cleaner = [*(float(alphas_cumprod[t]) for t in timesteps[1:]), 1.0]
    for t, alpha_bar_before in zip(timesteps, cleaner, strict=True):
        on_state, on_clean, sigma = ddim_coefficients(float(alphas_cumprod[t]), alpha_bar_before, eta)
        clean, keep = _in_passes(denoise, z, t, batch_size)
        updated = on_state * z + on_clean * clean
        if sigma > 0:
            updated = updated + sigma * draws.normal_like(z, generator)
        noisy = (keep < CLEAN) | (noisy & sticky)
        z = torch.where(noisy, updated, z)
    return z


def _in_passes(denoise: GatedDenoise, z: Tensor, t: int, batch_size: int) -> tuple[Tensor, Tensor]:
    answers = [denoise(part, torch.full((len(part),), t, device=part.device)) for part in z.split(batch_size)]
    clean, keep = zip(*answers, strict=True)
    return torch.cat(clean), torch.cat(keep)
