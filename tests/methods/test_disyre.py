"""DISYRE: from severity to level, the ends of the corruption, and how restorations become one map."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.disyre import DISYRE, severities, trailing
from tests.methods.latent_stand_ins import pair


def build(**changes: object) -> DISYRE:
    torch.manual_seed(0)
    return DISYRE(**{**cards.tiny("disyre")["parameters"], **changes})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Spy(torch.nn.Module):
    """Stands in for the U-Net: keeps what it is shown and answers a constant times the level."""

    def __init__(self, answer: float = 0.0) -> None:
        super().__init__()
        self.answer, self.seen = answer, []

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        self.seen.append((x, t))
        return torch.full_like(x, self.answer) * t.view(-1, 1, 1, 1)


def test_severities_rise_from_nearly_none_to_nearly_all() -> None:
    table = severities(100)
    betas = np.linspace(1e-3, 0.2, 100)  # released code
    assert (np.diff(table) > 0).all()
    assert table[-1] == pytest.approx(np.sqrt(1 - betas[0])) and table[0] == pytest.approx(np.sqrt(np.prod(1 - betas)))
    assert table[0] < 0.01


def test_severity_is_told_as_the_nearest_level() -> None:
    method = build()
    assert method.level_of(torch.tensor([0.0, 1.0])).tolist() == [0, 99]
    assert method.level_of(torch.tensor(method.severities[[7, 40, 93]].copy())).tolist() == [7, 40, 93]
    between = (0.4 * method.severities[50] + 0.6 * method.severities[51]).item()
    assert method.level_of(torch.tensor([between])).tolist() == [51]


def test_corruption_goes_from_the_healthy_image_to_the_lesion() -> None:
    method, batch = build(), pair(64, 1, 16, 16)
    method.unet = spy = Spy()
    loss = method.training_loss(batch, generator())["loss"].item()
    shown, t = spy.seen[0]
    share = ((shown - batch["healthy"]) / (batch["image"] - batch["healthy"]))[batch["lesion"]].view(64, -1)
    assert torch.allclose(share, share[:, :1].expand_as(share), atol=1e-4)  # one severity an image …
    assert share.min() < 0.1 and share.max() > 0.9  # … anything from none to all
    assert torch.equal(t, method.level_of(share[:, 0])) and len(t.unique()) > 30
    assert torch.equal(shown[~batch["lesion"]], batch["healthy"][~batch["lesion"]])
    assert loss == pytest.approx(batch["healthy"].square().mean().item())  # against the healthy image


def test_image_without_lesion_has_the_mildest_level() -> None:
    method, batch = build(), pair(4, 1, 16, 16)
    healthy = {**batch, "image": batch["healthy"], "lesion": torch.zeros_like(batch["lesion"])}
    method.unet = spy = Spy()
    method.training_loss(healthy, generator())
    assert spy.seen[0][1].tolist() == [0] * 4 and torch.equal(spy.seen[0][0], batch["healthy"])


def test_levels_at_test() -> None:
    assert trailing(5, 100) == [99, 79, 59, 39, 19]
    assert trailing(100, 100) == list(range(99, -1, -1)) and trailing(1, 100) == [99]


def test_map_is_the_mean_residual_of_single_steps_from_the_image_itself() -> None:
    method, volume = build(test_steps=5), torch.full((3, 1, 16, 16), 0.5)
    method.unet = spy = Spy(0.01)
    restored = method.reconstruct(volume, generator())
    assert restored.shape == (5, 3, 1, 16, 16) and all(torch.equal(x, volume) for x, _ in spy.seen)
    brain = torch.ones(3, 16, 16, dtype=torch.bool)
    brain[:, :4] = False
    found = method.anomaly_map(volume, restored, brain, generator())
    assert torch.allclose(found[brain], torch.tensor(np.mean([abs(0.5 - level / 100) for level in (99, 79, 59, 39, 19)])).float())
    assert not found[~brain].any()


def test_step_by_step_the_corruption_is_shown_ever_milder() -> None:
    method, volume = build(test_steps=2, restoration="multi_step"), torch.full((2, 1, 16, 16), 0.6)
    method.unet = spy = Spy(0.001)
    restored = method.reconstruct(volume, generator())
    first, second = 0.099, 0.049  # what the spy answers to levels 99 and 49
    milder = first + method.severities[49] / method.severities[99] * (0.6 - first)
    assert spy.seen[1][0].mean().item() == pytest.approx(milder, abs=1e-6) and 0.099 < milder < 0.6
    assert restored.shape == volume.shape and restored.mean().item() == pytest.approx(second, abs=1e-6)


def test_more_steps_than_levels() -> None:
    with pytest.raises(UserError, match="test_steps: 200 goes beyond num_train_timesteps = 100"):
        trailing(200, 100)
