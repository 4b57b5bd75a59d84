"""The supervised ceiling: its loss by hand, and its map."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.unet_supervised import SupervisedUNet
from tests.methods.latent_stand_ins import pair


def build(**changes: object) -> SupervisedUNet:
    torch.manual_seed(0)
    return SupervisedUNet(**{**cards.tiny("unet_supervised")["parameters"], **changes})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def loss(logits: torch.Tensor, lesion: torch.Tensor, **changes: object) -> dict[str, float]:
    method = build(**changes)
    method._logits = lambda images: logits
    return {key: value.item() for key, value in method.training_loss({"image": logits, "lesion": lesion}, generator()).items()}


def test_loss_is_dice_over_the_batch_and_cross_entropy() -> None:
    lesion = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    lesion[0, 0, :2] = True  # the second slice has none
    logits = torch.full((2, 1, 4, 4), torch.logit(torch.tensor(0.2)).item())
    logits[0, 0, 0] = torch.logit(torch.tensor(0.9)).item()
    p, y = logits.sigmoid(), lesion.float()
    dice = 1 - 2 * (p * y).sum() / (p.sum() + y.sum())
    entropy = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    losses = loss(logits, lesion, dice_weight=0.5)
    assert losses["dice"] == pytest.approx(dice.item(), abs=1e-5) and losses["entropy"] == pytest.approx(entropy.item())
    assert losses["loss"] == pytest.approx((0.5 * dice + entropy).item(), abs=1e-5)


def test_perfect_answer_costs_nothing_and_no_lesion_at_all_is_no_accident() -> None:
    lesion = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    lesion[0, 0, :2] = True
    assert loss(40.0 * lesion - 20, lesion)["loss"] < 1e-5
    nowhere = loss(torch.full((2, 1, 4, 4), -20.0), torch.zeros_like(lesion))["loss"]
    assert nowhere == pytest.approx(0, abs=0.01)


def test_map_is_the_probability_in_the_brain() -> None:
    method, volume = build().eval(), pair(3, 1, 16, 16)["image"]
    brain = torch.zeros(3, 16, 16, dtype=torch.bool)
    brain[:, 4:12, 4:12] = True
    found = method.anomaly_map(volume, method.reconstruct(volume, generator()), brain, generator())
    assert torch.equal(found[brain], method._logits(volume).sigmoid()[:, 0][brain]) and not found[~brain].any()


def test_it_finds_the_lesions_it_was_taught() -> None:
    method, data = build().train(), pair(4, 1, 16, 16)
    optimiser = torch.optim.Adam(method.parameters(), lr=1e-2)
    for _ in range(30):
        method.training_loss(data, generator())["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
    fresh = pair(2, 1, 16, 16)
    fresh["image"] = fresh["healthy"].flip(-1) * ~fresh["lesion"]  # the same lesion in other brains
    found = method.eval().anomaly_map(fresh["image"], None, fresh["brain"][:, 0], generator()) > 0.5
    assert (found & fresh["lesion"][:, 0]).sum() * 2 / (found.sum() + fresh["lesion"].sum()) > 0.8


def test_slice_smaller_than_the_reach() -> None:
    with pytest.raises(UserError, match=r"unet_supervised\.parameters\.channel_multipliers: images of 3 x 16"):
        build().anomaly_map(torch.zeros(1, 1, 3, 16), None, torch.ones(1, 3, 16, dtype=torch.bool), generator())
