"""The plain U-Net in 2D and 3D."""

from __future__ import annotations

import pytest
import torch

from madad.models.networks.plain_unet import PlainUNet


def build(spatial_dims: int = 2, **changes: object) -> PlainUNet:
    sizes = dict(in_channels=1, out_channels=1, base_channels=8, channel_multipliers=[1, 2, 4], norm_groups=4)
    torch.manual_seed(0)
    return PlainUNet(spatial_dims=spatial_dims, **{**sizes, **changes})


@pytest.mark.parametrize("shape", [(2, 1, 16, 16), (1, 1, 13, 10), (1, 1, 5, 8, 7), (1, 1, 4, 4, 4)])
def test_images_of_any_size(shape: tuple[int, ...]) -> None:
    assert build(len(shape) - 2)(torch.randn(shape)).shape == shape


def test_reach_is_the_smallest_size_that_can_be_halved() -> None:
    network = build()
    assert network.reach == 4 and network(torch.randn(1, 1, 4, 4)).shape == (1, 1, 4, 4)
    with pytest.raises(RuntimeError):
        network(torch.randn(1, 1, 3, 3))


def test_channels_of_every_level() -> None:
    network = build()
    first = [[layer.out_channels for layer in level if isinstance(layer, torch.nn.Conv2d)] for level in network.down]
    assert first == [[4, 8], [8, 16], [16, 32]]


def test_images_of_a_batch_do_not_meet() -> None:
    network, x = build().eval(), torch.randn(3, 1, 16, 16)
    assert torch.allclose(network(x), torch.cat([network(image[None]) for image in x]), atol=1e-5)
