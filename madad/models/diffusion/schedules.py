"""Noise schedules: the share of the signal that remains after t steps, alpha-bar_t in Ho et al. 2020 (arXiv 2006.11239).

Tables are read-only float64 numpy arrays, indexed from 0, so that no mixed-precision call can narrow them.
"""

from __future__ import annotations

import numpy as np

NAMES = ("cosine", "linear")
MAX_BETA = 0.999


def alphas_cumprod(name: str, num_train_timesteps: int) -> np.ndarray:
    """Return the table of a schedule by name, shape (num_train_timesteps,), strictly falling.

    Raises:
        ValueError: no schedule of that name.
    """
    builders = {"cosine": cosine, "linear": linear}
    if name not in builders:
        raise ValueError(f"schedule {name!r} is not one of {NAMES}")
    return builders[name](num_train_timesteps)


def cosine(num_train_timesteps: int, offset: float = 0.008) -> np.ndarray:
    """Return the schedule of Nichol & Dhariwal 2021 (arXiv 2102.09672), eq. 17, with betas up to 0.999 as in section 3.2."""
    u = np.arange(num_train_timesteps + 1, dtype=np.float64) / num_train_timesteps
    f = np.cos((u + offset) / (1 + offset) * np.pi / 2) ** 2
    return _from_betas(1 - f[1:] / f[:-1])


def linear(num_train_timesteps: int, first: float = 1e-4, last: float = 2e-2) -> np.ndarray:
    """Return the schedule of Ho et al. 2020, section 4, scaled so that any number of steps ends at the noise of 1000 steps."""
    scale = 1000 / num_train_timesteps
    return _from_betas(np.linspace(scale * first, scale * last, num_train_timesteps, dtype=np.float64))


def _from_betas(betas: np.ndarray) -> np.ndarray:
    table = np.cumprod(1 - np.minimum(betas, MAX_BETA))
    table.setflags(write=False)
    return table
