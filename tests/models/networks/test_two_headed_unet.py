"""MAD-AD's U-Net: published parameter counts to the unit, what it answers at first, and what every option does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from madad.core.errors import UserError
from madad.models.networks.two_headed_unet import TwoHeadedUNet

SMALL = dict(
    in_channels=4,
    base_channels=16,
    channel_multipliers=[1, 2],
    blocks_per_level=1,
    attention_heads=2,
    norm_groups=8,
    dropout=0.0,
)


def build(**changes: object) -> TwoHeadedUNet:
    torch.manual_seed(0)
    return TwoHeadedUNet(**{**SMALL, **changes})


def awake(network: TwoHeadedUNet) -> TwoHeadedUNet:
    """With no layer at zero."""
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.1)
    return network


@pytest.mark.parametrize(
    ("base_channels", "heads", "expected"),
    [(64, 4, 16_142_149), (128, 4, 64_478_853), (192, 6, 145_010_117), (256, 8, 257_735_941)],
)
def test_published_number_of_parameters(base_channels: int, heads: int, expected: int) -> None:
    with torch.device("meta"):
        network = build(
            base_channels=base_channels, attention_heads=heads, channel_multipliers=[1, 2, 4], blocks_per_level=2, norm_groups=32
        )
    assert sum(weight.numel() for weight in network.parameters()) == expected


def test_mask_head_has_the_published_size() -> None:
    with torch.device("meta"):
        network = build(base_channels=256, norm_groups=32)
    assert sum(weight.numel() for weight in network.keep_head.parameters()) == 2817


def test_untrained_it_answers_zero_and_undecided() -> None:
    clean, logits = build()(torch.randn(2, 4, 8, 12), torch.tensor([0, 9]))
    assert clean.shape == (2, 4, 8, 12) and logits.shape == (2, 1, 8, 12)
    assert (clean == 0).all() and (logits == 0).all()


def test_level_of_the_noise_matters() -> None:
    network, z = awake(build()), torch.randn(1, 4, 8, 8)
    answers = [network(z, torch.tensor([t])) for t in (0, 9)]
    assert not any(torch.allclose(first, second) for first, second in zip(*answers, strict=True))


def test_dropout_is_active_in_training_alone() -> None:
    network, z, t = awake(build(dropout=0.5)), torch.randn(1, 4, 8, 8), torch.tensor([3])
    assert not torch.equal(network.train()(z, t)[0], network(z, t)[0])
    assert torch.equal(network.eval()(z, t)[0], network(z, t)[0])


def test_attention_follows_every_block_but_the_last_of_the_middle() -> None:
    network = build(channel_multipliers=[1, 2, 4], blocks_per_level=2)
    heads = [module for name, module in network.named_modules() if name.endswith("attention")]
    assert len(heads) == 3 * 2 + 1 + 3 * 3
    assert {module.qkv.in_channels // module.head_channels for module in heads} == {2}


@pytest.mark.parametrize(("key", "value"), [("attention_heads", 12), ("norm_groups", 12)])
def test_what_does_not_divide_the_channels_is_refused(key: str, value: int) -> None:
    with pytest.raises(UserError, match=f"{key}: {value} does not divide base_channels = 320"):
        build(base_channels=320, **{"norm_groups": 32, key: value})
