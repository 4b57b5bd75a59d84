"""Deterministic chains into the noise and random ones back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madad.models.diffusion import schedules
from madad.models.diffusion.fused import fused, invert
from madad.models.diffusion.gated import ddim_coefficients

TABLE = schedules.alphas_cumprod("linear", 1000)
LEVELS = list(range(0, 500, 10))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def known_noise(noise: torch.Tensor):
    return lambda x, t: noise


def gaussian_law(x: torch.Tensor, t: int) -> torch.Tensor:
    """Return the exact answer where images are N(0, 0.25): E[n | x_t]."""
    alpha_bar = TABLE[t]
    return x * np.sqrt(1 - alpha_bar) / (0.25 * alpha_bar + 1 - alpha_bar)


def back(x: torch.Tensor, predict) -> torch.Tensor:
    """Run the deterministic chain out of the noise, DDIM with eta = 0."""
    for index in reversed(range(len(LEVELS))):
        alpha_bar, before = TABLE[LEVELS[index]], TABLE[LEVELS[index - 1]] if index else 1.0
        on_state, on_clean, _ = ddim_coefficients(float(alpha_bar), float(before), 0.0)
        clean = (x - np.sqrt(1 - alpha_bar) * predict(x, LEVELS[index])) / np.sqrt(alpha_bar)
        x = on_state * x + on_clean * clean
    return x


def test_known_noise_ends_at_the_forward_process() -> None:
    x_0, noise = torch.rand(2, 1, 4, 4), torch.randn(2, 1, 4, 4)
    states = invert(known_noise(noise), x_0, LEVELS, TABLE)
    assert len(states) == len(LEVELS) + 1 and states[0] is x_0
    for t, state in zip(LEVELS, states[1:], strict=True):
        assert torch.allclose(state, float(np.sqrt(TABLE[t])) * x_0 + float(np.sqrt(1 - TABLE[t])) * noise, atol=1e-5)


def test_there_and_back_again() -> None:
    x_0 = 0.5 * torch.randn(2, 1, 8, 8, generator=generator(), dtype=torch.float64)
    last = invert(gaussian_law, x_0, LEVELS, TABLE)[-1]
    assert (last - x_0).abs().mean() > 0.1
    assert torch.allclose(back(last, gaussian_law), x_0, rtol=0.05, atol=0.01)


def walked(region: torch.Tensor, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    x_0 = 0.5 * torch.randn(len(region), 1, 16, 16, generator=generator(), dtype=torch.float64)
    states = invert(gaussian_law, x_0, LEVELS, TABLE)
    chain = {"timesteps": LEVELS, "alphas_cumprod": TABLE}
    return x_0, fused(gaussian_law, states, region, **chain, generator=generator(seed))


def test_outside_the_region_nothing_changes_and_inside_all_does() -> None:
    region = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    region[0, :, 4:9, 4:9] = True
    x_0, x = walked(region)
    assert torch.equal(x[~region], x_0[~region]) and (x[region] != x_0[region]).all()
    assert not torch.equal(walked(region, seed=1)[1][region], x[region])


def test_what_is_redrawn_follows_the_law_of_the_model() -> None:
    x_0, x = walked(torch.ones(40, 1, 16, 16, dtype=torch.bool))
    assert x.std().item() == pytest.approx(0.5, rel=0.1)
    assert np.corrcoef(x.flatten(), x_0.flatten())[0, 1] < 0.7
