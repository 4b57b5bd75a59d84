"""The denoising autoencoder: where its noise goes, what its error counts, and that it is shown no noise at test."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.engine.optimisers import OPTIMISERS
from madad.methods.dae import DAE


def build(**changes: object) -> DAE:
    torch.manual_seed(0)
    return DAE(**{**cards.tiny("dae")["parameters"], **changes})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int = 2, side: int = 32) -> dict[str, torch.Tensor]:
    brain = torch.zeros(count, 1, side, side, dtype=torch.bool)
    brain[..., 4:-4, 4:-4] = True
    return {"image": 0.5 * brain, "brain": brain}


class Same(torch.nn.Module):
    """Stands in for the U-Net: keeps what it is shown and gives it back."""

    reach = 1

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen = images
        return images


@pytest.mark.parametrize("kind", ["coarse", "gaussian", "simplex", "pyramid"])
def test_noise_is_in_the_brain_alone_and_the_error_is_its_square(kind: str) -> None:
    method, data = build(noise_kind=kind), batch()
    method.unet = Same()
    loss = method.training_loss(data, generator())["loss"].item()
    noise = method.unet.seen - data["image"]
    assert not noise[~data["brain"]].any() and noise[data["brain"]].std() > 0.05
    assert not torch.equal(noise[0], noise[1])
    assert loss == pytest.approx(noise.square().mean().item())


def test_error_outside_the_brain_does_not_count() -> None:
    method, data = build(noise_magnitude=1e-9), batch()
    method._predict = lambda images: images + 3.0 * ~data["brain"]
    assert method.training_loss(data, generator())["loss"].item() < 1e-12


@pytest.mark.parametrize("magnitude", [0.1, 0.4])
def test_magnitude_is_the_deviation_on_the_grid(magnitude: float) -> None:
    """Between the points two thirds of it are left: bilinear weights have mean squares of 2/3 an axis."""
    method = build(noise_magnitude=magnitude)
    fields = method.noise_law(torch.zeros(200, 1, 64, 64), generator())
    assert fields.std().item() == pytest.approx(magnitude * 2 / 3, rel=0.05)
    assert abs(fields.mean().item()) < 0.02 * magnitude


def test_resolution_is_the_width_of_the_blobs() -> None:
    """Numbers on a grid are independent: a cell apart little is left of the correlation, two cells apart nothing."""
    for resolution, cell in ((16, 4), (8, 8)):
        fields = build(noise_resolution=resolution).noise_law(torch.zeros(200, 1, 64, 64), generator())
        at = [(fields[..., :-lag] * fields[..., lag:]).mean() / fields.square().mean() for lag in (1, cell, 2 * cell)]
        assert at[0] > 0.8 and at[1] == pytest.approx(0.25, abs=0.05) and abs(at[2]) < 0.04


def test_no_noise_at_test() -> None:
    method, data = build(), batch()
    method.unet = Same()
    source = generator()
    assert torch.equal(method.reconstruct(data["image"], source), data["image"])
    assert torch.equal(source.get_state(), generator().get_state())


def test_slice_smaller_than_the_reach() -> None:
    with pytest.raises(UserError, match=r"dae\.parameters\.levels: images of 6 x 32"):
        build().reconstruct(torch.zeros(1, 1, 6, 32), generator())


def test_steps_of_amsgrad_do_not_grow_back() -> None:
    """After one large gradient, small ones move Adam again and again, and AMSGrad less."""
    moved = {}
    for name in ("adam", "amsgrad"):
        weight = torch.nn.Parameter(torch.zeros(1))
        optimiser = OPTIMISERS[name]([weight], lr=1.0)
        for gradient in (100.0, *[0.01] * 5000):
            weight.grad = torch.tensor([gradient])
            optimiser.step()
        weight.grad = torch.tensor([0.01])
        before = weight.item()
        optimiser.step()
        moved[name] = before - weight.item()
    assert 0 < moved["amsgrad"] < 0.2 * moved["adam"]
    assert cards.resolve("dae", {}, {}, None)["training"]["optimiser"] == "amsgrad"
