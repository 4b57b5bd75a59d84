"""DDPM: what the network is shown, what it is asked for, and the choices of the card."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.ddpm import DDPM


def build(**changes: object) -> DDPM:
    return DDPM(**{**cards.tiny("ddpm")["parameters"], **changes})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Spy(torch.nn.Module):
    """Stands in for the U-Net: keeps what it is shown and answers with a constant."""

    def __init__(self, answer: float) -> None:
        super().__init__()
        self.answer, self.seen = answer, []

    def forward(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        self.seen.append((x_t, t))
        return torch.full_like(x_t, self.answer)


def spied(answer: float = 0.0, **changes: object) -> tuple[DDPM, Spy]:
    method, spy = build(**changes), Spy(answer)
    method.unet = spy
    return method, spy


def test_loss_is_the_mean_absolute_error_with_background() -> None:
    method, _ = spied(answer=0.5)
    image = torch.zeros(3, 1, 16, 16)  # -1 to the network
    assert method.training_loss({"image": image, "brain": image > 0}, generator())["loss"].item() == pytest.approx(1.5)


def test_squared_error_on_demand() -> None:
    method, _ = spied(answer=0.5, loss="l2")
    image = torch.zeros(3, 1, 16, 16)
    assert method.training_loss({"image": image, "brain": image > 0}, generator())["loss"].item() == pytest.approx(2.25)


def test_training_draws_many_levels() -> None:
    method, spy = spied()
    method.training_loss({"image": torch.rand(64, 1, 8, 8)}, generator())
    levels = spy.seen[0][1]
    assert levels.min() < 100 and levels.max() > 900 and len(set(levels.tolist())) > 50


def test_level_500_is_index_499_and_reconstruction_is_not_clipped() -> None:
    method, spy = spied(answer=2.0)
    reconstruction = method.reconstruct(torch.rand(3, 1, 16, 16), generator())
    assert spy.seen[0][1].tolist() == [499] * 3
    assert (reconstruction == 1.5).all()


@pytest.mark.parametrize("shared", [True, False])
def test_one_field_for_all_slices_or_one_each(shared: bool) -> None:
    method, spy = spied(noise_shared=shared)
    method.reconstruct(torch.zeros(4, 1, 16, 16), generator())
    x_t = spy.seen[0][0]
    assert torch.equal(x_t[0], x_t[3]) is shared


def test_ensemble_averages_levels_with_noise_of_their_own() -> None:
    method, spy = spied(test_timesteps=[250, 500, 750], noise_kind="gaussian")
    method.reconstruct(torch.full((2, 1, 16, 16), 0.5), generator())  # 0 to the network, which then sees noise alone
    assert [t[0].item() for _, t in spy.seen] == [249, 499, 749]
    fields = [(x_t / x_t.std()).flatten() for x_t, _ in spy.seen]
    assert abs((fields[0] * fields[1]).mean().item()) < 0.2


def test_map_is_the_residual_in_the_brain() -> None:
    method, _ = spied()
    volume, reconstruction = torch.full((1, 1, 2, 2), 0.75), torch.ones(1, 1, 2, 2)
    brain = torch.tensor([[[True, False], [True, True]]])
    assert method.anomaly_map(volume, reconstruction, brain, generator()).tolist() == [[[0.25, 0], [0.25, 0.25]]]


@pytest.mark.parametrize("changes", [{"norm_groups": 7}, {"test_timesteps": [1001]}])
def test_parameters_that_do_not_go_together(changes: dict) -> None:
    with pytest.raises(UserError, match=next(iter(changes))):
        build(**changes)
