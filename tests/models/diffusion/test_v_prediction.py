"""v against the noise and the image it stands for; the schedule against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from madad.models.diffusion import schedules, v_prediction
from madad.models.diffusion.forward import add_noise


def test_image_and_noise_follow_from_v() -> None:
    table = schedules.cosine(1000)
    generator = torch.Generator().manual_seed(0)
    x_0, noise = torch.randn(2, 3, 1, 4, 5, dtype=torch.float64, generator=generator)
    t = torch.tensor([10, 500, 990])
    alpha_bar = torch.from_numpy(table[t.numpy()]).view(-1, 1, 1, 1)
    v = alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * x_0  # Salimans & Ho, appendix D
    x_t = add_noise(x_0, noise, t, table)
    assert torch.allclose(v_prediction.x_0_of(v, x_t, t, table), x_0)
    assert torch.allclose(v_prediction.noise_of(v, x_t, t, table), noise)


def test_cosine_of_the_reference_side() -> None:
    table = v_prediction.shifted_cosine(1000, 56, 56)
    assert table[499] == pytest.approx(0.5)  # log SNR 0 in the middle
    assert (np.diff(table) < 0).all() and not table.flags.writeable
    assert np.log(table[-1] / (1 - table[-1])) == pytest.approx(-15)
    # but for the truncated ends it is the cosine of Nichol & Dhariwal without their offset
    assert np.allclose(table[100:900], np.cos(np.arange(101, 901) / 1000 * math.pi / 2) ** 2, atol=1e-3)


def test_image_of_twice_the_side_has_a_quarter_of_the_signal_to_noise_ratio() -> None:
    small, large = (v_prediction.shifted_cosine(100, side, 56) for side in (56, 112))
    assert np.allclose((small / (1 - small)) / (large / (1 - large)), 4)
