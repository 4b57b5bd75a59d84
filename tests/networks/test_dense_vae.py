"""The autoencoder with a dense bottleneck."""

from __future__ import annotations

import pytest
import torch

from madad.networks.dense_vae import DenseVAE

SIZES = dict(channels=[8, 16], norm_groups=4, bottleneck_grid=2, latent_size=5, dropout=0.0)


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
        network = DenseVAE(channels=[32, 64, 128, 128], norm_groups=8, bottleneck_grid=10, latent_size=256, dropout=0.1)
        x = torch.empty(1, 1, 160, 160, 160)
        for layers in network.down:
            x = layers(x)
        assert network.squeeze(x).shape == (1, 16, 10, 10, 10)
        assert network.decode(torch.empty(1, 256), (160, 160, 160)).shape == (1, 1, 160, 160, 160)


def test_nothing_but_the_code_reaches_the_decoder() -> None:
    network = build()
    codes = torch.randn(2, 5)
    one, other = network.decode(codes, (8, 8, 8))
    assert not torch.allclose(one, other)
    assert torch.allclose(network.decode(codes[:1], (8, 8, 8))[0], one, atol=1e-6)
