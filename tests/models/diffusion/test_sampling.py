"""One-step sampling with plain functions in the place of networks."""

from __future__ import annotations

import pytest
import torch

from madad.core.errors import UserError
from madad.models.diffusion import sampling, schedules

TABLE = schedules.cosine(1000)


def test_oracle_gives_the_image_back() -> None:
    x_0 = torch.rand(5, 1, 4, 4)
    x_hat = sampling.one_step(lambda x_t, t: x_t / TABLE[499] ** 0.5, x_0, torch.zeros(1, 1, 4, 4), 499, TABLE, 2)
    assert torch.allclose(x_hat, x_0, atol=1e-6)


@pytest.mark.parametrize("shared", [True, False])
def test_pieces_are_as_good_as_the_whole(shared: bool) -> None:
    x_0, n = torch.rand(7, 1, 4, 4), torch.randn(1 if shared else 7, 1, 4, 4)
    whole, pieces = (sampling.one_step(lambda x_t, t: x_t.sin(), x_0, n, 300, TABLE, size) for size in (64, 3))
    assert torch.equal(whole, pieces)


def test_network_is_told_the_level() -> None:
    seen = []
    sampling.one_step(lambda x_t, t: seen.append(t) or x_t, torch.rand(3, 1, 2, 2), torch.zeros(1, 1, 2, 2), 42, TABLE, 2)
    assert [t.tolist() for t in seen] == [[42, 42], [42]]


def test_mean() -> None:
    assert sampling.mean(torch.full((2,), v) for v in (1.0, 3.0)).tolist() == [2, 2]
    with pytest.raises(ValueError, match="no images"):
        sampling.mean([])


def test_noise_stays_in_its_region() -> None:
    x_0, n = torch.rand(3, 1, 4, 6), torch.ones(1, 1, 4, 6)
    region = torch.zeros(1, 4, 6, dtype=torch.bool)
    region[:, 1:3, 2:] = True
    x_t = sampling.one_step(lambda x_t, t: x_t, x_0, n, 499, TABLE, 2, region)
    noised = sampling.one_step(lambda x_t, t: x_t, x_0, n, 499, TABLE, 2)
    assert torch.equal(x_t[:, region], noised[:, region]) and torch.equal(x_t[:, ~region], x_0[:, ~region])


def test_levels_count_from_one_and_indices_from_zero() -> None:
    assert sampling.level_indices([1, 500, 1000], 1000, "key") == [0, 499, 999]
    with pytest.raises(UserError, match=r"ddpm\.levels: 1001 .* 1000"):
        sampling.level_indices([500, 1001], 1000, "ddpm.levels")
