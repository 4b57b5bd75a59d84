"""From names to methods."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods import registry


@pytest.mark.parametrize("name", [*cards.names(), *cards.components()])
def test_every_card_has_a_class(name: str) -> None:
    assert registry.load(name).__module__ == cards.module(name)


def test_unknown_method() -> None:
    with pytest.raises(UserError, match="did you mean 'intensity'"):
        registry.load("intensty")


def test_initial_weights_depend_on_the_seed_alone() -> None:
    parameters = cards.tiny("ddpm")["parameters"]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = registry.build("ddpm", parameters, 0)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    second, other = (registry.build("ddpm", parameters, seed) for seed in (0, 1))
    assert torch.equal(first.unet.stem.weight, second.unet.stem.weight)
    assert not torch.equal(first.unet.stem.weight, other.unet.stem.weight)
    assert first.hyperparameters == parameters
