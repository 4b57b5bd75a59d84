"""The U-Net of denoising autoencoders."""

from __future__ import annotations

import pytest
import torch

from madad.models.networks.denoising_unet import DenoisingUNet, StandardisedConv2d, groups


def build(**changes: int) -> DenoisingUNet:
    torch.manual_seed(0)
    return DenoisingUNet(**{**dict(in_channels=1, out_channels=1, base_channels=8, levels=3), **changes})


@pytest.mark.parametrize("shape", [(2, 1, 16, 16), (1, 1, 13, 10), (1, 1, 8, 8)])
def test_images_of_any_size(shape: tuple[int, ...]) -> None:
    assert build()(torch.rand(shape)).shape == shape


def test_reach_is_the_smallest_size() -> None:
    assert build().reach == 8
    with pytest.raises(RuntimeError):
        build()(torch.rand(1, 1, 7, 7))


def test_published_network_halves_three_times_up_to_512_channels() -> None:
    network = build(base_channels=64, levels=4)
    assert [level[0].out_channels for level in network.down] == [64, 128, 256, 512]
    assert network.reach == 16


@pytest.mark.parametrize(("channels", "number"), [(64, 8), (128, 16), (256, 16), (512, 32), (1, 1)])
def test_groups_are_the_middle_divisor(channels: int, number: int) -> None:
    assert groups(channels) == number


def test_scale_and_mean_of_the_weights_mean_nothing() -> None:
    torch.manual_seed(0)
    layer, x = StandardisedConv2d(3, 4, 3, padding=1), torch.rand(1, 3, 8, 8)
    before = layer(x)
    with torch.no_grad():
        layer.weight.mul_(5).add_(2)
    assert torch.allclose(layer(x), before, atol=1e-2)
    effective = layer(torch.eye(27).view(27, 3, 3, 3))[:, :, 1, 1] - layer.bias  # the weights, one at a time
    assert torch.allclose(effective.mean(0), torch.zeros(4), atol=1e-4)
    assert torch.allclose(effective.std(0, correction=0), torch.ones(4), atol=1e-3)
