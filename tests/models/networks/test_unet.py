"""The U-Net: published parameter counts to the unit, zero start, where the noise level and the condition come in."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from madad.core.errors import UserError
from madad.models.networks.unet import SelfAttention, UNet, sinusoids

PAPER = dict(in_channels=1, out_channels=1, base_channels=128, channel_multipliers=[1, 2, 2], blocks_per_level=3, norm_groups=32)
TINY = {**PAPER, "base_channels": 16, "blocks_per_level": 1, "norm_groups": 8, "scale_shift": True}
SMALL = {**TINY, "base_channels": 32, "norm_groups": 32}


def count(**options: object) -> int:
    with torch.device("meta"):
        return sum(weight.numel() for weight in UNet(**options).parameters())


def tiny(**options: object) -> UNet:
    torch.manual_seed(0)
    return UNet(**{**TINY, **options})


def awake(network: UNet) -> UNet:
    """Replace the zeros of the network, as after some training."""
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    return network


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({**PAPER, "scale_shift": True}, 37_513_857),
        ({**PAPER, "scale_shift": False}, 34_493_313),
        ({**PAPER, "scale_shift": True, "condition_channels": 512}, 44_068_481),
        ({**PAPER, "scale_shift": True, "condition_channels": 128}, 43_871_873),
        (TINY, 332_145),
        ({**TINY, "condition_channels": 64}, 393_713),
        (SMALL, 1_319_649),
        ({**SMALL, "scale_shift": False}, 1_212_321),
        ({**SMALL, "blocks_per_level": 2}, 1_837_761),
        ({**SMALL, "blocks_per_level": 2, "scale_shift": False}, 1_689_153),
        ({**SMALL, "base_channels": 64, "blocks_per_level": 2}, 7_327_105),
        ({**SMALL, "base_channels": 64, "blocks_per_level": 2, "scale_shift": False}, 6_734_977),
        ({**SMALL, "condition_channels": 128}, 1_565_665),
    ],
)
def test_published_number_of_parameters(options: dict, parameters: int) -> None:
    assert count(**options) == parameters


def test_attention_is_in_the_middle_alone() -> None:
    attention = [name for name, layer in tiny().named_modules() if isinstance(layer, SelfAttention)]
    assert attention == ["middle.1"]


@pytest.mark.parametrize("scale_shift", [True, False])
def test_untrained_network_answers_zero(scale_shift: bool) -> None:
    network = tiny(scale_shift=scale_shift)
    assert (network(torch.randn(2, 1, 32, 32), torch.tensor([3, 900])) == 0).all()


@pytest.mark.parametrize("scale_shift", [True, False])
def test_noise_level_matters(scale_shift: bool) -> None:
    network, x = awake(tiny(scale_shift=scale_shift)), torch.randn(1, 1, 32, 32)
    assert not torch.allclose(network(x, torch.tensor([3])), network(x, torch.tensor([900])))


def test_condition_matters_only_after_the_first_updates() -> None:
    network, x, t = tiny(condition_channels=64), torch.randn(1, 1, 32, 32), torch.tensor([3])
    conditions = torch.zeros(1, 64), torch.ones(1, 64)
    assert torch.equal(*(network(x, t, c) for c in conditions))
    awake(network)
    assert not torch.allclose(*(network(x, t, c) for c in conditions))


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (2, 1, 48, 32), (3, 1, 4, 4)])
def test_shape_is_kept(shape: tuple[int, ...]) -> None:
    assert tiny()(torch.randn(shape), torch.zeros(shape[0], dtype=torch.long)).shape == shape


def test_images_of_a_batch_do_not_meet() -> None:
    network, x, t = awake(tiny()).eval(), torch.randn(3, 1, 16, 16), torch.tensor([1, 500, 999])
    singles = torch.cat([network(x[i : i + 1], t[i : i + 1]) for i in range(3)])
    assert torch.allclose(network(x, t), singles, rtol=1e-4, atol=1e-4)


def test_sinusoids() -> None:
    embedding = sinusoids(torch.tensor([0, 7]), 128)
    assert embedding.shape == (2, 128)
    assert embedding[0].tolist() == [1.0] * 64 + [0.0] * 64
    assert embedding[1, 0].item() == pytest.approx(torch.tensor(7.0).cos().item())
    assert embedding[1, 64 + 32].item() == pytest.approx(torch.tensor(7 / 100).sin().item())


@pytest.mark.parametrize(
    ("options", "key"),
    [({"norm_groups": 7}, "norm_groups: 7 .* 16"), ({"base_channels": 48, "norm_groups": 8}, "base_channels: 48 .* 96 .* 64")],
)
def test_widths_that_do_not_go_together(options: dict, key: str) -> None:
    with pytest.raises(UserError, match=key):
        tiny(**options)


@pytest.mark.parametrize(("shape", "sizes"), [((1, 1, 30, 32), "30 x 32"), ((1, 1, 32, 6), "32 x 6")])
def test_image_that_cannot_be_halved(shape: tuple[int, ...], sizes: str) -> None:
    with pytest.raises(UserError, match=f"{sizes} .* multiples of 4; change pipelines.spacing_mm"):
        tiny()(torch.zeros(shape), torch.zeros(1, dtype=torch.long))


class _Called(TorchDispatchMode):
    """Record the names of all operators that run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("shape", [(2, 32, 6, 4), (2, 32, 4, 3, 2)])
@pytest.mark.parametrize("head", [8, 32])
def test_attention_is_that_of_its_formula_and_takes_the_fast_kernel(shape: tuple[int, ...], head: int) -> None:
    torch.manual_seed(0)
    layer = SelfAttention(32, 8, max_head_channels=head)
    torch.nn.init.normal_(layer.out.weight, std=0.1)
    x = torch.randn(shape)
    with _Called() as called:
        found = layer(x)
    assert "_scaled_dot_product_flash_attention_for_cpu" in called.names
    pixels = x.flatten(2)
    q, k, v = (part.unflatten(1, (-1, head)) for part in layer.qkv(layer.norm(pixels)).chunk(3, dim=1))  # (B, heads, c, N)
    weights = (q.transpose(2, 3) @ k / head**0.5).softmax(dim=3)
    expected = pixels + layer.out((v @ weights.transpose(2, 3)).flatten(1, 2))
    torch.testing.assert_close(found, expected.view_as(x), rtol=1e-5, atol=1e-6)
