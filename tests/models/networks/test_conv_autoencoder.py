"""Encoder, bottleneck and decoder that the autoencoders share."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from madad.models.networks.conv_autoencoder import Decoder, DenseBottleneck, Encoder

SHARED = dict(spatial_dims=2, channels=[4, 8, 8], norm=nn.BatchNorm2d)


@pytest.mark.parametrize("size", [(8, 8), (17, 12), (64, 33)])
def test_decoder_gives_back_the_size_whatever_it_is(size: tuple[int, int]) -> None:
    encoder, decoder = Encoder(**SHARED), Decoder(**SHARED, entry=True)
    features = encoder(torch.rand(2, 1, *size))
    assert list(features.shape) == [2, 8, *decoder.sizes(size)[-1]]
    assert decoder(features, size).shape == (2, 1, *size)


def test_published_slice_becomes_eight_by_eight() -> None:
    with torch.device("meta"):
        encoder = Encoder(spatial_dims=2, channels=[32, 64, 128, 128], norm=nn.BatchNorm2d)
        assert encoder(torch.empty(1, 1, 128, 128)).shape == (1, 128, 8, 8)
    assert encoder.reach == 16


def test_entry_rectifies_what_enters_the_decoder() -> None:
    features = -torch.rand(2, 8, 2, 2) - 0.1  # with the running statistics of a new network, the norm leaves them negative
    torch.manual_seed(0)
    decoder = Decoder(**SHARED, entry=True).eval()
    assert torch.equal(decoder(features, (16, 16)), decoder(2 * features, (16, 16)))
    decoder.entry = nn.Identity()
    assert not torch.equal(decoder(features, (16, 16)), decoder(2 * features, (16, 16)))


@pytest.mark.parametrize("dims", [2, 3])
def test_bottleneck_holds_nothing_but_its_vector(dims: int) -> None:
    torch.manual_seed(0)
    bottleneck = DenseBottleneck(spatial_dims=dims, channels=8, grid=3, outputs=6, latent_size=3, dropout=0.0)
    size = [4, 5, 6][:dims]
    assert bottleneck.encode(torch.rand(2, 8, *size)).shape == (2, 6)
    decoded = bottleneck.decode(torch.zeros(2, 3), size)
    assert list(decoded.shape) == [2, 8, *size] and torch.equal(decoded[0], decoded[1])
