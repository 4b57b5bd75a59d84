"""The variational autoencoder with a dense bottleneck, and its law."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from madad.models.networks.dense_vae import DenseVAE, divergence, sample

NORM = partial(torch.nn.GroupNorm, 4)
SIZES = dict(spatial_dims=3, channels=[8, 16], norm=NORM, bottleneck_grid=2, latent_size=5, dropout=0.0, entry=False)


def build(**changes: object) -> DenseVAE:
    torch.manual_seed(0)
    return DenseVAE(**{**SIZES, **changes})


def test_code_has_its_length_whatever_the_volume() -> None:
    for size in [(8, 8, 8), (4, 9, 17)]:
        mean, log_variance = build().encode(torch.randn(2, 1, *size))
        assert mean.shape == log_variance.shape == (2, 5)


@pytest.mark.parametrize("size", [(8, 8, 8), (4, 9, 17), (6, 7, 5)])
def test_decoded_volume_has_the_wanted_size(size: tuple[int, ...]) -> None:
    assert build().decode(torch.randn(2, 5), size).shape == (2, 1, *size)


def test_published_size_is_neither_pooled_nor_spread() -> None:
    with torch.device("meta"):
        network = build(channels=[32, 64, 128, 128], bottleneck_grid=10, latent_size=256, dropout=0.1)
        features = network.encoder(torch.empty(1, 1, 160, 160, 160))
        assert network.bottleneck.squeeze(features).shape == (1, 16, 10, 10, 10)
        assert network.decode(torch.empty(1, 256), (160, 160, 160)).shape == (1, 1, 160, 160, 160)


def test_nothing_but_the_code_reaches_the_decoder() -> None:
    network = build()
    codes = torch.randn(2, 5)
    one, other = network.decode(codes, (8, 8, 8))
    assert not torch.allclose(one, other)
    assert torch.allclose(network.decode(codes[:1], (8, 8, 8))[0], one, atol=1e-6)


def test_slices() -> None:
    network = build(spatial_dims=2, norm=torch.nn.BatchNorm2d, entry=True)
    mean, _ = network.encode(torch.randn(3, 1, 10, 13))
    assert network.decode(mean, (10, 13)).shape == (3, 1, 10, 13)


def test_divergence_is_that_of_normal_laws() -> None:
    mean, log_variance = torch.randn(3, 4), torch.randn(3, 4)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(divergence(mean, log_variance), expected)


def test_samples_have_the_law_of_the_code() -> None:
    codes = sample(torch.full((20000, 1), 2.0), torch.full((20000, 1), 0.25).log(), torch.Generator().manual_seed(0))
    assert codes.mean().item() == pytest.approx(2, abs=0.02) and codes.std().item() == pytest.approx(0.5, abs=0.02)
