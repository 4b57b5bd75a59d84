"""Diffusion models that predict v = sqrt(alpha-bar) n - sqrt(1 - alpha-bar) x_0, and a cosine schedule that follows the image.

Sources: Salimans & Ho 2022 (arXiv 2202.00512), section 4 and appendix D, for v; Hoogeboom et al. 2023 (arXiv 2301.11093),
section 3.1, for the schedule.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from madad.core import draws

# Signal-to-noise ratios at both ends of the schedule, as logarithms (released code of arXiv 2512.01534).
LARGEST_LOG_SNR = 15.0


@cache
def shifted_cosine(num_train_timesteps: int, side: int, reference_side: int) -> np.ndarray:
    """Return alpha-bar_t of a cosine schedule that adds more noise the larger the images are.

    log SNR(u) = -2 log tan(a + u (b - a)) + 2 log(reference side / side), u = t / T (arXiv 2301.11093, eq. 3, truncated so that
    it runs from 15 to -15 before it is shifted).

    Args:
        side: voxels along the longer side of the images.
        reference_side: that of images whose schedule is not shifted.

    Returns:
        (T,) float64, read-only, for t = 1 … T.
    """
    u = np.arange(1, num_train_timesteps + 1, dtype=np.float64) / num_train_timesteps
    low, high = (math.atan(math.exp(sign * LARGEST_LOG_SNR / 2)) for sign in (-1, 1))
    log_snr = -2 * np.log(np.tan(low + u * (high - low))) + 2 * math.log(reference_side / side)
    table = 1 / (1 + np.exp(-log_snr))
    table.setflags(write=False)
    return table


def x_0_of(v: Tensor, x_t: Tensor, t: Tensor, alphas_cumprod: np.ndarray) -> Tensor:
    """Return x_0 = sqrt(alpha-bar_t) x_t - sqrt(1 - alpha-bar_t) v; arXiv 2202.00512, appendix D.

    Args:
        v: (B, …) as the network predicts it.
        x_t: (B, …).
        t: (B,) indices into the table, on the CPU.
        alphas_cumprod: (T,).
    """
    signal, noise = _shares(x_t, t, alphas_cumprod)
    return signal * x_t - noise * v


def noise_of(v: Tensor, x_t: Tensor, t: Tensor, alphas_cumprod: np.ndarray) -> Tensor:
    """Return n = sqrt(1 - alpha-bar_t) x_t + sqrt(alpha-bar_t) v; the arguments are those of `x_0_of`."""
    signal, noise = _shares(x_t, t, alphas_cumprod)
    return noise * x_t + signal * v


def _shares(x_t: Tensor, t: Tensor, alphas_cumprod: np.ndarray) -> list[Tensor]:
    alpha_bar = alphas_cumprod[t.cpu().numpy()]
    columns = (draws.like(torch.from_numpy(share), x_t) for share in (np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)))
    return [column.view(-1, *[1] * (x_t.ndim - 1)) for column in columns]
