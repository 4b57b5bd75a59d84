"""Sequence models over slices: both see the whole volume, and know its order."""

from __future__ import annotations

import math

import pytest
import torch

from madad.models.networks.sequence import SliceAttention, SliceGRU, positions

MODELS = [SliceGRU, SliceAttention]


def build(kind: type) -> torch.nn.Module:
    torch.manual_seed(0)
    return kind(6).eval()


@pytest.mark.parametrize("kind", MODELS)
@torch.no_grad()
def test_every_slice_hears_of_every_other_one(kind: type) -> None:
    model, vectors = build(kind), torch.randn(1, 7, 6)
    before = model(vectors)
    for changed in (0, 3, 6):
        other = vectors.clone()
        other[0, changed] += torch.linspace(-1, 2, 6)
        assert ((model(other) - before).abs().amax(dim=2) > 1e-7).all()


@pytest.mark.parametrize("kind", MODELS)
@torch.no_grad()
def test_order_of_the_slices_matters(kind: type) -> None:
    model, vectors, order = build(kind), torch.randn(1, 5, 6), torch.tensor([2, 0, 4, 1, 3])
    assert not torch.allclose(model(vectors[:, order]), model(vectors)[:, order], atol=1e-4)


@pytest.mark.parametrize("kind", MODELS)
@torch.no_grad()
def test_volumes_of_a_batch_do_not_meet(kind: type) -> None:
    model, vectors = build(kind), torch.randn(2, 5, 6)
    torch.testing.assert_close(model(vectors)[:1], model(vectors[:1]))


def test_positions_by_hand() -> None:
    places = positions(3, 4)
    assert places[0].tolist() == [0, 1, 0, 1]
    slow = 1000 ** (-2 / 4)
    expected = [math.sin(2), math.cos(2), math.sin(2 * slow), math.cos(2 * slow)]
    assert places[2].tolist() == pytest.approx(expected)
