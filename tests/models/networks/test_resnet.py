"""The residual encoder: published parameter counts to the unit, the published stem, and weights that move completely."""

from __future__ import annotations

import pytest
import torch

from madad.models.networks.resnet import ResNetEncoder, transfer


def encoder(depth: int = 18, width: int = 4, stages: int = 4, outputs: int | None = None) -> ResNetEncoder:
    return ResNetEncoder(depth=depth, width=width, stages=stages, outputs=outputs)


def awake(network: ResNetEncoder) -> ResNetEncoder:
    """With weights and batch statistics that no fresh network has."""
    for tensor in network.state_dict().values():
        tensor.copy_(torch.rand(tensor.shape) + 1 if tensor.is_floating_point() else torch.tensor(7))
    return network


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        (dict(depth=50, width=64, outputs=512), 24_550_848),
        (dict(depth=50, width=64), 23_501_760),
        (dict(depth=18, width=64, outputs=128), 11_235_904),
    ],
)
def test_published_number_of_parameters(options: dict, parameters: int) -> None:
    with torch.device("meta"):
        assert sum(weight.numel() for weight in encoder(**options).parameters()) == parameters


@pytest.mark.parametrize(("depth", "stages", "side"), [(18, 4, 3), (50, 4, 3), (18, 3, 6), (50, 2, 12)])
def test_last_features_are_96_over_the_total_stride(depth: int, stages: int, side: int) -> None:
    network, shapes = encoder(depth, stages=stages), []
    network.avgpool.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    network(torch.rand(1, 1, 96, 96))
    assert shapes == [(1, network.channels[-1], side, side)]


def test_embedding_has_the_wanted_width_whatever_the_stages() -> None:
    assert all(encoder(stages=stages, outputs=10).eval()(torch.rand(3, 1, 32, 32)).shape == (3, 10) for stages in (2, 3, 4))


def test_stages_have_the_channels_that_are_told() -> None:
    assert encoder(50).channels == [16, 32, 64, 128] and encoder(18, stages=3).channels == [4, 8, 16]
    assert [len(stage) for stage in encoder(50).stages] == [3, 4, 6, 3]
    assert encoder(18, width=16, stages=3).sizes == {"encoder_depth": 18, "encoder_width": 16, "encoder_stages": 3}


def test_everything_but_the_last_layer_is_transferred() -> None:
    source, target = awake(encoder(50)), encoder(50, outputs=8)
    last = {name: tensor.clone() for name, tensor in target.fc.state_dict().items()}
    assert transfer(source, target) == 318
    copied = target.state_dict()
    assert all(torch.equal(copied[name], tensor) for name, tensor in source.state_dict().items())
    assert all(torch.equal(copied[f"fc.{name}"], tensor) for name, tensor in last.items())


@pytest.mark.parametrize("other", [dict(depth=50), dict(width=8), dict(stages=3)])
def test_an_encoder_of_another_size_is_refused_and_nothing_copied(other: dict) -> None:
    target = encoder()
    before = target.conv1.weight.clone()
    with pytest.raises(ValueError, match="do not fit"):
        transfer(awake(encoder(**other)), target)
    assert torch.equal(target.conv1.weight, before)


def test_weights_under_another_prefix_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        transfer(torch.nn.ModuleDict({"backbone": encoder()}), encoder())
