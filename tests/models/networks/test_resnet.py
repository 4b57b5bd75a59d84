"""The residual encoder: published parameter counts to the unit, the published stem, and weights that move completely."""

from __future__ import annotations

import pytest
import torch

from madad.models.networks.resnet import BasicBlock, Bottleneck, DropPath, ResNetEncoder, transfer


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


@pytest.mark.parametrize("depth", [18, 50])
def test_untrained_branches_add_nothing_and_an_ordinary_network_has_them(depth: int) -> None:
    for network, zero in ((encoder(depth), True), (ResNetEncoder(depth=depth, width=4, stages=4, zero_branches=False), False)):
        block = next(module for module in network.modules() if isinstance(module, BasicBlock | Bottleneck))
        block.drop_path.register_forward_hook(lambda _, __, branch, zero=zero: pytest.fail() if branch.any() == zero else None)
        network.eval()(torch.rand(1, 1, 32, 32))


def test_drop_path_drops_whole_images_as_often_as_it_is_told_and_keeps_the_mean() -> None:
    drop, branch = DropPath(), torch.ones(4000, 2, 3, 3)
    drop.p = 0.3
    torch.manual_seed(0)
    dropped = drop(branch).flatten(1)
    assert torch.equal(dropped.amin(1), dropped.amax(1))
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert dropped.mean().item() == pytest.approx(1, abs=0.03)
    assert drop.eval()(branch) is branch


def test_probability_of_dropping_rises_to_the_last_block_and_acts_in_training_alone() -> None:
    network = awake(ResNetEncoder(depth=18, width=4, stages=4, drop_path=0.7))
    rates = [module.p for module in network.modules() if isinstance(module, DropPath)]
    assert rates == pytest.approx([0.1 * index for index in range(8)])
    images = torch.rand(8, 1, 32, 32)
    assert torch.equal(network.eval()(images), network(images))
    network.train()
    assert not torch.equal(network(images), network(images))
