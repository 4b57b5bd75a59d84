"""The latent U-Net and the encoder of its condition: published parameter counts, zero start, 2D and 3D."""

from __future__ import annotations

import pytest
import torch

from madad.models.networks.adagn_unet import AdaGNUNet
from madad.models.networks.semantic_encoder import SemanticEncoder
from madad.models.networks.unet import SelfAttention

PAPER = dict(
    spatial_dims=3,
    in_channels=3,
    out_channels=6,
    base_channels=128,
    channel_multipliers=[1, 2, 2],
    blocks_per_level=1,
    norm_groups=32,
)
TINY = {**PAPER, "spatial_dims": 2, "base_channels": 16, "norm_groups": 8}
PAPER_ENCODER = dict(
    spatial_dims=3, in_channels=3, base_channels=32, channel_multipliers=[1, 2, 2, 2], norm_groups=32, outputs=64
)
TINY_ENCODER = {**PAPER_ENCODER, "spatial_dims": 2, "base_channels": 8, "channel_multipliers": [1, 2, 2], "norm_groups": 8}


def count(network: type[torch.nn.Module], **options: object) -> int:
    with torch.device("meta"):
        return sum(weight.numel() for weight in network(**options).parameters())


def tiny(**options: object) -> AdaGNUNet:
    torch.manual_seed(0)
    return AdaGNUNet(**{**TINY, **options})


def encoder(**options: object) -> SemanticEncoder:
    torch.manual_seed(0)
    return SemanticEncoder(**{**TINY_ENCODER, **options})


def awake(network: torch.nn.Module) -> torch.nn.Module:
    """Replace the zeros of the network, as after some training."""
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    return network


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        (PAPER, 46_640_134),  # MONAI's DiffusionModelUNet of the same sizes
        ({**PAPER, "in_channels": 6}, 46_650_502),
        ({**PAPER, "condition_channels": 1280}, 54_118_534),  # with the encoder 54,923,910
    ],
)
def test_published_number_of_parameters(options: dict, parameters: int) -> None:
    assert count(AdaGNUNet, **options) == parameters


def test_published_number_of_parameters_of_the_encoder() -> None:
    assert count(SemanticEncoder, **PAPER_ENCODER) == 805_376


def test_attention_is_one_headed_and_at_the_deepest_level_alone() -> None:
    attention = {name: layer for name, layer in tiny().named_modules() if isinstance(layer, SelfAttention)}
    assert list(attention) == ["down.4.1", "middle.1", "up.0.1", "up.1.1"]
    assert {layer.head_channels for layer in attention.values()} == {32}


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("condition", [None, 5])
def test_untrained_network_answers_zero(spatial_dims: int, condition: int | None) -> None:
    x = torch.randn(2, 3, *[8] * spatial_dims)
    vector = None if condition is None else torch.randn(2, condition)
    answer = tiny(spatial_dims=spatial_dims, condition_channels=condition)(x, torch.tensor([3, 900]), vector)
    assert answer.shape == (2, 6, *[8] * spatial_dims) and not answer.any()


@pytest.mark.parametrize("condition", [None, 5])
def test_noise_level_matters(condition: int | None) -> None:
    network, x = awake(tiny(condition_channels=condition)), torch.randn(1, 3, 8, 8)
    vector = None if condition is None else torch.randn(1, condition)
    assert not torch.allclose(network(x, torch.tensor([3]), vector), network(x, torch.tensor([900]), vector))


def test_condition_matters_in_every_block() -> None:
    network, x, t = awake(tiny(condition_channels=5)), torch.randn(1, 3, 8, 8), torch.tensor([3])
    one, other = torch.zeros(1, 5), torch.ones(1, 5)
    assert not torch.allclose(network(x, t, one), network(x, t, other))
    blocks = [layer for layer in network.modules() if getattr(layer, "by_condition", None) is not None]
    assert len(blocks) == 3 + 2 + 6
    for block in blocks:
        torch.nn.init.zeros_(block.by_condition.weight)
    assert torch.equal(network(x, t, one), network(x, t, other))


def test_noise_level_and_condition_scale_and_shift_one_after_the_other() -> None:
    block = awake(tiny(condition_channels=5)).down[0][0]
    x, embedding, condition = torch.randn(2, 16, 4, 4), torch.randn(2, 64), torch.randn(2, 5)
    g = block.norm_out(block.conv_in(torch.nn.functional.silu(block.norm_in(x))))
    for modulation in (block.by_time(embedding), block.by_condition(condition)):
        scale, shift = modulation[:, :, None, None].chunk(2, dim=1)
        g = g * (1 + scale) + shift
    assert torch.allclose(block(x, embedding, condition), x + block.conv_out(torch.nn.functional.silu(g)), atol=1e-5)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_images_of_a_batch_do_not_meet(spatial_dims: int) -> None:
    network = awake(tiny(spatial_dims=spatial_dims, condition_channels=5)).eval()
    x, t, c = torch.randn(3, 3, *[8] * spatial_dims), torch.tensor([1, 500, 999]), torch.randn(3, 5)
    singles = torch.cat([network(x[i : i + 1], t[i : i + 1], c[i : i + 1]) for i in range(3)])
    assert torch.allclose(network(x, t, c), singles, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(2, 3, 12, 16), (2, 3, 12, 8, 6)])
def test_condition_has_its_numbers_for_every_row(shape: tuple[int, ...]) -> None:
    assert encoder(spatial_dims=len(shape) - 2)(torch.randn(shape)).shape == (2, 64 * 12)


def test_published_condition_of_a_latent_of_20_planes() -> None:
    with torch.device("meta"):
        assert SemanticEncoder(**PAPER_ENCODER)(torch.randn(1, 3, 20, 20, 20)).shape == (1, 1280)


def test_rows_keep_their_place_and_columns_are_pooled() -> None:
    network = encoder(in_channels=16, channel_multipliers=[2])
    network.layers = torch.nn.Identity()
    image = torch.randn(1, 16, 12, 8)
    assert torch.allclose(network(image), network(image.flip(3)), atol=1e-6)
    assert torch.equal(network(image.flip(2)).view(64, 12), network(image).view(64, 12).flip(1))


def test_every_norm_of_the_unet_has_the_published_epsilon_and_those_of_the_encoder_another() -> None:
    for network, epsilon in ((tiny(), 1e-6), (tiny(condition_channels=8), 1e-6), (encoder(), 1e-5)):
        norms = [module.eps for module in network.modules() if isinstance(module, torch.nn.GroupNorm)]
        assert len(norms) > 5 and set(norms) == {epsilon}
