"""The autoencoder: its error, and where its two bottlenecks keep things."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.ae import AE

SIZES = {"channels": [8, 16], "bottleneck_grid": 4, "latent_size": 16, "dropout": 0.0}


def build(**changes: object) -> AE:
    torch.manual_seed(0)
    return AE(**{**cards.resolve("ae", {}, {}, None)["parameters"], **SIZES, **changes})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_loss_is_the_mean_absolute_error() -> None:
    method, image = build().eval(), torch.rand(3, 1, 16, 12)
    loss = method.training_loss({"image": image}, generator())["loss"]
    assert loss.item() == pytest.approx((method.reconstruct(image, generator()) - image).abs().mean().item(), rel=1e-5)


@pytest.mark.parametrize(("bottleneck", "size"), [("dense", 16), ("spatial", 16 * 4 * 3)])
def test_codes_have_the_size_of_the_bottleneck(bottleneck: str, size: int) -> None:
    assert build(bottleneck=bottleneck).eval().encode(torch.rand(5, 1, 16, 12)).shape == (5, size)


@torch.no_grad()
def test_only_the_spatial_bottleneck_keeps_a_change_where_it_is() -> None:
    image = torch.rand(1, 1, 32, 32, generator=generator())
    changed = image.clone()
    changed[..., :4, :4] += 1
    far = {}
    for bottleneck in ("dense", "spatial"):
        method = build(bottleneck=bottleneck).eval()
        far[bottleneck] = (method.reconstruct(changed, generator()) - method.reconstruct(image, generator()))[..., 28:, 28:]
    assert (far["spatial"] == 0).all() and (far["dense"] != 0).any()


def test_slice_smaller_than_the_reach() -> None:
    with pytest.raises(UserError, match=r"ae\.parameters\.channels: images of 3 x 16"):
        build().eval().reconstruct(torch.rand(1, 1, 3, 16), generator())
