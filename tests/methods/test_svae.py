"""Sequential autoencoder: its bound by hand, and slices that hear of each other through their codes."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.methods.svae import SVAE

SEQUENCES = ["gru", "attention"]


def build(**changes: object) -> SVAE:
    torch.manual_seed(0)
    return SVAE(**{**cards.tiny("svae")["parameters"], **changes})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_bound_by_hand() -> None:
    method, image = build(kl_weight=2.0), torch.rand(2, 1, 3, 8, 8)
    method._encode = lambda x: (torch.full((2, 3, 16), 3.0), torch.zeros(2, 3, 16))
    method._decode = lambda z, x: torch.full_like(x, 0.5)
    losses = method.training_loss({"image": image}, generator())
    assert losses["error"].item() == pytest.approx((image - 0.5).abs().mean().item())
    assert losses["divergence"].item() == pytest.approx(16 * 0.5 * 3**2 / 64)  # of every slice
    assert losses["loss"].item() == pytest.approx((losses["error"] + 2 * losses["divergence"]).item())


@pytest.mark.parametrize("sequence", SEQUENCES)
@torch.no_grad()
def test_a_changed_slice_changes_all_reconstructions(sequence: str) -> None:
    method, volume = build(sequence=sequence).eval(), torch.rand(6, 1, 16, 16)
    changed = volume.clone()
    changed[2] = 1 - changed[2]
    difference = (method.reconstruct(changed, generator()) - method.reconstruct(volume, generator())).abs()
    assert (difference.amax(dim=(1, 2, 3)) > 0).all()


@pytest.mark.parametrize("sequence", SEQUENCES)
@torch.no_grad()
def test_order_of_the_slices_matters(sequence: str) -> None:
    method, volume, order = build(sequence=sequence).eval(), torch.rand(5, 1, 16, 16), torch.tensor([3, 0, 4, 1, 2])
    assert not torch.allclose(method.encode(volume[order]), method.encode(volume)[order], atol=1e-4)


@torch.no_grad()
def test_slices_stay_in_their_places() -> None:
    """What the sequence adds left out, a slice is what it is, wherever it lies."""
    method, volume = build().eval(), torch.rand(5, 1, 16, 16)
    method.sequence = torch.nn.Identity()
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(method.reconstruct(volume[order], generator()), method.reconstruct(volume, generator())[order])


@torch.no_grad()
def test_training_and_test_see_the_same_volume() -> None:
    method, volume = build().eval(), torch.rand(4, 1, 16, 16)
    method.posterior.bias[16:] = -60  # codes without noise
    method.posterior.weight[16:] = 0
    error = method.training_loss({"image": volume.transpose(0, 1).unsqueeze(0)}, generator())["error"]
    assert error.item() == pytest.approx((method.reconstruct(volume, generator()) - volume).abs().mean().item(), rel=1e-5)


@pytest.mark.parametrize("shape", [(3, 1, 17, 12), (9, 1, 30, 33)])
@torch.no_grad()
def test_volumes_of_any_size(shape: tuple[int, ...]) -> None:
    assert build().eval().reconstruct(torch.rand(shape), generator()).shape == shape
