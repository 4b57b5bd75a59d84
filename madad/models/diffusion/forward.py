"""The forward process: from a clean image x_0 to its noisy version x_t."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from madad.core import draws


def add_noise(x_0: Tensor, noise: Tensor, t: Tensor, alphas_cumprod: np.ndarray) -> Tensor:
    """Return x_t = sqrt(alpha-bar_t) x_0 + sqrt(1 - alpha-bar_t) n; Ho et al. 2020 (arXiv 2006.11239), eq. 4.

    Args:
        x_0: (B, ...).
        noise: n, of any law, broadcastable to `x_0`.
        t: (B,) integer indices into the table, on the CPU.
        alphas_cumprod: (T,) float64 table from `madad.models.diffusion.schedules`.

    Returns:
        x_t in the shape and type and on the device of `x_0`.
    """
    alpha_bar = alphas_cumprod[t.cpu().numpy()]
    return _like(np.sqrt(alpha_bar), x_0) * x_0 + _like(np.sqrt(1 - alpha_bar), x_0) * noise


def draw_timesteps(count: int, alphas_cumprod: np.ndarray, generator: torch.Generator) -> Tensor:
    """Draw noise levels for training, (count,) indices into the table, uniformly and on the CPU; Ho et al. 2020, algorithm 1."""
    return torch.randint(len(alphas_cumprod), (count,), generator=generator)


def to_signed(image: Tensor) -> Tensor:
    """Scale intensities in [0, 1] to [-1, 1], the range of diffusion models (Ho et al. 2020, section 3.3)."""
    return 2 * image - 1


def from_signed(image: Tensor) -> Tensor:
    """Invert `to_signed`; nothing is clipped."""
    return (image + 1) / 2


def _like(values: np.ndarray, image: Tensor) -> Tensor:
    column = draws.like(torch.from_numpy(values), image)
    return column.view(-1, *[1] * (image.ndim - 1))
