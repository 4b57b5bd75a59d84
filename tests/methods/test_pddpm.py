"""pDDPM: one box is noised, one box counts, and the boxes make one slice."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.pddpm import PDDPM
from madad.models.diffusion.forward import to_signed


def build(**changes: object) -> PDDPM:
    torch.manual_seed(0)
    return PDDPM(**{**cards.tiny("pddpm")["parameters"], **changes})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Spy(torch.nn.Module):
    """Stands in for the U-Net: keeps what it is shown and gives one answer after another, the same to every slice."""

    def __init__(self, *answers: float | torch.Tensor) -> None:
        super().__init__()
        self.answers, self.seen = torch.nn.ParameterList(torch.as_tensor(answer) for answer in answers), []

    def forward(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        answer = self.answers[len(self.seen) % len(self.answers)]
        self.seen.append((x_t, t))
        return answer.expand_as(x_t)


def spied(*answers: float | torch.Tensor, **changes: object) -> tuple[PDDPM, Spy]:
    # unless more slices go through the network together, one box at a time
    method, spy = build(**{"slices_per_pass": 1, **changes}), Spy(*(answers or [0.0]))
    method.unet = spy
    return method, spy


def batch(image: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"image": image, "brain": image > 0}


def quadrants(image: torch.Tensor) -> list[torch.Tensor]:
    """Quadrants of images (..., H, W), row by row."""
    return [half for rows in image.chunk(2, dim=-2) for half in rows.chunk(2, dim=-1)]


def test_training_noises_one_quadrant_of_each_slice() -> None:
    method, spy = spied(noise_kind="gaussian")
    image = torch.rand(64, 1, 8, 12)
    method.training_loss(batch(image), generator())
    x_t, t = spy.seen[0]
    changed = torch.stack([changed.flatten(1).any(1) for changed in quadrants(x_t != to_signed(image))])
    assert (changed.sum(dim=0) == 1).all() and changed.any(dim=1).all()
    assert t.min() < 100 and t.max() > 900


def test_training_may_noise_a_box_anywhere() -> None:
    method, spy = spied(box_sampling="random", noise_kind="gaussian")
    image = torch.rand(64, 1, 8, 12)
    method.training_loss(batch(image), generator())
    noised = (spy.seen[0][0] != to_signed(image)).flatten(1).sum(1)
    assert len(noised.unique()) > 4 and noised.max() <= 24


@pytest.mark.parametrize(
    ("changes", "error"),
    [({}, 1.5 / 4), ({"loss": "l2"}, 2.25 / 4), ({"loss_region": "slice"}, 1.5), ({"patch_fraction": 1.0}, 1.5)],
)
def test_loss_is_the_error_in_the_box_counted_over_the_slice(changes: dict, error: float) -> None:
    method, _ = spied(0.5, **changes)
    image = torch.zeros(3, 1, 16, 16)  # -1 to the network
    assert method.training_loss(batch(image), generator())["loss"].item() == pytest.approx(error)


def test_gradients_come_from_the_box_alone() -> None:
    method, spy = spied(torch.zeros(1, 16, 16))
    method.training_loss(batch(torch.full((1, 1, 16, 16), 0.9)), generator())["loss"].backward()
    shares = sorted((quadrant != 0).float().mean().item() for quadrant in quadrants(spy.answers[0].grad))
    assert shares == [0, 0, 0, 1]
    assert spy.answers[0].grad.abs().max().item() == pytest.approx(1 / 16**2)


def test_each_quadrant_is_noised_alone_and_all_share_one_field() -> None:
    method, spy = spied(slices_per_pass=3)
    volume = torch.full((3, 1, 16, 16), 0.5)  # 0 to the network, which then sees noise alone
    method.reconstruct(volume, generator())
    assert [t.tolist() for _, t in spy.seen] == [[499] * 3] * 4
    field = method.noise_law(volume, generator()) * (1 - method.alphas_cumprod[499]) ** 0.5
    for position, (x_t, _) in enumerate(spy.seen):
        for other, (seen, noise) in enumerate(zip(quadrants(x_t), quadrants(field), strict=True)):
            assert torch.allclose(seen, noise if other == position else torch.zeros(()), atol=1e-6)


def test_reconstruction_takes_each_quadrant_from_its_own_pass() -> None:
    method, _ = spied(0.0, 1.0, 2.0, 3.0, slices_per_pass=2)
    reconstruction = method.reconstruct(torch.rand(2, 1, 8, 8), generator())
    for quadrant, answer in zip(quadrants(reconstruction), [0.5, 1.0, 1.5, 2.0], strict=True):  # (x + 1) / 2, not clipped
        assert (quadrant == answer).all()


@pytest.mark.parametrize("changes", [{}, {"patch_fraction": 0.4}, {"patch_fraction": 0.4, "aggregation": "average"}])
def test_network_that_knows_the_slice_gives_it_back(changes: dict) -> None:
    volume = torch.rand(1, 1, 24, 32)
    method, spy = spied(to_signed(volume[0]), **changes)
    assert torch.allclose(method.reconstruct(volume, generator()), volume, atol=1e-6)
    assert len(spy.seen) == (9 if changes else 4)


def test_overlapping_boxes_can_be_averaged() -> None:
    reconstructions = []
    for aggregation in ("cut", "average"):
        method, _ = spied(0.0, 1.0, 2.0, 3.0, patch_fraction=0.7, aggregation=aggregation)
        reconstructions.append(method.reconstruct(torch.rand(1, 1, 10, 10), generator()) * 2 - 1)
    first, mean = (reconstruction[0, 0, 5, 5].item() for reconstruction in reconstructions)
    assert (first, mean) == (0.0, 1.5)


def test_ensemble_averages_levels_with_noise_of_their_own() -> None:
    answers = [0.0] * 4 + [3.0] * 4 + [6.0] * 4
    method, spy = spied(*answers, test_timesteps=[250, 500, 750], noise_kind="gaussian", slices_per_pass=2)
    reconstruction = method.reconstruct(torch.full((2, 1, 16, 16), 0.5), generator())
    assert (reconstruction == 2.0).all()
    assert [t[0].item() for _, t in spy.seen] == [249] * 4 + [499] * 4 + [749] * 4
    fields = [quadrants(spy.seen[number][0])[0].flatten() for number in (0, 4)]
    assert abs(torch.corrcoef(torch.stack(fields))[0, 1].item()) < 0.3


def test_map_is_the_residual_in_the_brain() -> None:
    volume, reconstruction = torch.full((1, 1, 2, 2), 0.75), torch.ones(1, 1, 2, 2)
    brain = torch.tensor([[[True, False], [True, True]]])
    assert build().anomaly_map(volume, reconstruction, brain, generator()).tolist() == [[[0.25, 0], [0.25, 0.25]]]


def test_level_beyond_the_last() -> None:
    with pytest.raises(UserError, match=r"pddpm\.parameters\.test_timesteps: 1001"):
        build(test_timesteps=[1001])
