"""Weights of a local file: the layouts, the change from colour to grey, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from madad.configuration import cards
from madad.core.errors import UserError
from madad.engine.one_pass_fitting import fitted
from madad.methods import registry
from madad.models.networks import foreign_weights
from madad.models.networks.resnet import ResNetEncoder

KEY = r"local_encoder\.parameters\.weights"


def network(channels: int = 1, stages: int = 4) -> dict[str, torch.Tensor]:
    """Weights of a ResNet-18 of width 8 in the layout of torchvision, for images of so many channels."""
    torch.manual_seed(0)
    encoder = ResNetEncoder(depth=18, width=8, stages=stages, outputs=10, zero_branches=False)
    weights = {
        name: torch.rand_like(tensor) if tensor.is_floating_point() else tensor for name, tensor in encoder.state_dict().items()
    }
    return {**weights, "conv1.weight": torch.randn(8, channels, 7, 7)}


def part(path: Path | str, **changes: object) -> torch.nn.Module:
    return registry.build("local_encoder", {**cards.tiny("local_encoder")["parameters"], "weights": str(path), **changes}, 0)


@pytest.mark.parametrize("prefix", ["", "encoder."])
def test_weights_of_a_file_are_those_of_the_encoder(tmp_path, prefix: str) -> None:
    weights = network()
    save_file({prefix + name: tensor for name, tensor in weights.items()}, tmp_path / "w.safetensors")
    method = part(tmp_path / "w.safetensors")
    fitted(method, [], 0, torch.device("cpu"))
    state = method.encoder.state_dict()
    assert len(state) > 50 and all(torch.equal(tensor, weights[name]) for name, tensor in state.items())


def test_a_network_of_colours_answers_to_grey_as_to_three_scaled_channels() -> None:
    weights, encoder = network(channels=3), ResNetEncoder(depth=18, width=8, stages=2).eval()
    foreign_weights.adopt(encoder, weights, "key")
    images = torch.rand(2, 1, 40, 40)
    colours = (images - foreign_weights.COLOUR_MEAN.view(1, 3, 1, 1)) / foreign_weights.COLOUR_SD.view(1, 3, 1, 1)
    norm = nn.BatchNorm2d(8).eval()
    norm.load_state_dict({key.removeprefix("bn1."): value for key, value in weights.items() if key.startswith("bn1.")})
    expected = norm(functional.conv2d(colours, weights["conv1.weight"], stride=2, padding=3))
    found = encoder.bn1(encoder.conv1(images))
    assert torch.allclose(found[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], atol=1e-4)


def test_what_is_absent_or_does_not_fit_is_refused(tmp_path) -> None:
    save_file(network(stages=2), tmp_path / "short.safetensors")
    (tmp_path / "w.pth").write_bytes(b"PK\x03\x04 not weights")
    for path, changes, message in [
        ("", {}, "names no file"),
        (tmp_path / "none.safetensors", {}, "there is no file .*none.safetensors"),
        (tmp_path / "w.pth", {}, "w.pth is no safetensors file.*pickled"),
        (tmp_path / "short.safetensors", {}, "lacks layer3"),
        (
            tmp_path / "short.safetensors",
            {"encoder_width": 16, "encoder_stages": 2},
            r"has conv1.weight of \(8, 1, 7, 7\), not \(16, ",
        ),
    ]:
        with pytest.raises(UserError, match=f"{KEY}: .*{message}"):
            part(path, **changes).fit([], torch.Generator())
