"""Masked tokens see what is visible and nothing else; the U-Net starts as if it were told nothing."""

from __future__ import annotations

import pytest
import torch

from madad.core.errors import UserError
from madad.models.networks.token_unet import MaskedTokens, TokenUNet, positions_2d
from madad.models.networks.unet import UNet

T = torch.tensor([3, 700])
UNET = {
    "in_channels": 1,
    "out_channels": 1,
    "base_channels": 16,
    "channel_multipliers": [1, 4],
    "blocks_per_level": 1,
    "norm_groups": 8,
    "scale_shift": True,
}


def tokens(**changes: int) -> MaskedTokens:
    torch.manual_seed(0)
    sizes = {"side": 4, "channels": 12, "heads": 3, "encoder_layers": 1, "decoder_layers": 1}
    return MaskedTokens(**{**sizes, **changes})


def images() -> torch.Tensor:
    return torch.randn(2, 1, 16, 8, generator=torch.Generator().manual_seed(0))


def visible() -> torch.Tensor:
    seen = torch.ones(2, 1, 4, 2, dtype=torch.bool)
    seen[0, 0, 1, 1] = seen[1, 0, 2:] = False
    return seen


@pytest.mark.parametrize("gradients", [True, False])
def test_what_is_hidden_does_not_matter_and_what_is_visible_does(gradients: bool) -> None:
    network = tokens().eval()
    with torch.set_grad_enabled(gradients):
        before = network(images(), visible(), T)
        hidden, seen = images(), images()
        hidden[0, 0, 4:8, 4:8] += 1
        hidden[1, 0, 8:] += 1
        seen[0, 0, :4, :4] += 1
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(before, network(hidden, visible(), T), strict=True))
        after = network(seen, visible(), T)
    # the change reaches every square of that image, hidden ones included, and not the other image
    assert ((after[0] - before[0])[0].abs().amax(dim=0) > 1e-5).all()
    assert torch.allclose(after[0][1], before[0][1], atol=1e-6)


def test_shapes() -> None:
    features, guess = tokens()(images(), visible(), T)
    assert features.shape == (2, 12, 4, 2) and guess.shape == (2, 1, 16, 8)


def test_guess_of_a_square_is_put_in_its_place() -> None:
    network = tokens()
    torch.nn.init.zeros_(network.head.weight)
    network.head.bias.data = torch.arange(16.0)
    _, guess = network(images(), visible(), T)
    assert torch.equal(guess[0, 0, 4:8, 4:8], torch.arange(16.0).view(4, 4))


def test_nothing_visible_is_finite() -> None:
    features, guess = tokens()(images(), torch.zeros_like(visible()), T)
    assert torch.isfinite(features).all() and torch.isfinite(guess).all()


def test_places_differ() -> None:
    place = positions_2d(4, 6, 12)
    assert place.shape == (24, 12) and len(place.unique(dim=0)) == 24
    assert torch.equal(place[:6, :6], place[:1, :6].expand(6, -1))  # one row, one first half


def test_untrained_network_is_told_nothing() -> None:
    torch.manual_seed(0)
    told = TokenUNet(feature_channels=12, **UNET)
    plain = UNet(**UNET)
    plain.load_state_dict({key: value for key, value in told.state_dict().items() if not key.startswith("guide")})
    for network in (told, plain):
        torch.nn.init.constant_(network.head[-1].weight, 0.1)
    features = torch.randn(2, 12, 4, 2)
    assert torch.equal(told(images(), T, features), plain(images(), T))
    torch.nn.init.constant_(told.guide.weight, 0.1)
    assert not torch.allclose(told(images(), T, features), told(images(), T, -features), atol=1e-3)


def test_squares_that_do_not_tile() -> None:
    with pytest.raises(UserError, match="squares of 5 voxels do not tile"):
        tokens(side=5)(images(), visible(), T)


def test_channels_that_heads_do_not_divide() -> None:
    with pytest.raises(UserError, match="token_channels: 16 is not a multiple of 4 and of token_heads = 3"):
        tokens(channels=16)
