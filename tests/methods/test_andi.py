"""ANDi: what a single step is compared with, and how the steps are put together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.andi import SMALLEST, ANDi
from madad.models.diffusion import v_prediction
from madad.models.diffusion.forward import to_signed


def build(**changes: object) -> ANDi:
    torch.manual_seed(0)
    return ANDi(**{**cards.tiny("andi")["parameters"], **changes})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Oracle(torch.nn.Module):
    """Stands in for the U-Net: answers the v of a given clean image, and keeps the levels it is asked for."""

    def __init__(self, x_0: torch.Tensor, table: np.ndarray) -> None:
        super().__init__()
        self.x_0, self.table, self.seen = x_0, torch.tensor(table), []

    def forward(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        self.seen.append((x_t, int(t[0])))
        alpha_bar = self.table[t].to(x_t).view(-1, 1, 1, 1)
        return (alpha_bar.sqrt() * x_t - self.x_0) / (1 - alpha_bar).sqrt()


def judged(estimate: torch.Tensor, volume: torch.Tensor, **levels: int) -> tuple[torch.Tensor, Oracle, np.ndarray]:
    """Return the map where the network predicts another clean image, in the range of the network."""
    method = build(**levels)
    table = v_prediction.shifted_cosine(1000, 16, 56)
    method.unet = oracle = Oracle(estimate, table)
    brain = torch.ones(volume[:, 0].shape, dtype=torch.bool)
    return method.anomaly_map(volume, None, brain, generator()), oracle, table


def test_map_is_the_geometric_mean_of_the_squared_steps() -> None:
    volume = torch.full((2, 1, 16, 16), 0.5)  # 0 to the network
    estimate = torch.full_like(volume, 0.25)
    found, oracle, table = judged(estimate, volume, first_timestep=26, last_timestep=125)
    assert [t for _, t in oracle.seen] == list(range(25, 125))
    level, before = table[25:125], table[24:124]
    step = np.sqrt(before) * (1 - level / before) / (1 - level) * 0.25  # Ho et al. 2020, eq. 7; x_t is the same on both sides
    assert torch.allclose(found, torch.tensor(np.exp(np.log(step**2).mean()), dtype=torch.float32), rtol=1e-3)


def test_a_step_counts_by_its_ratio() -> None:
    """Twice the error at every level is four times the map; a level at which there is none does not make it 0."""
    volume = torch.full((1, 1, 16, 16), 0.5)
    once, twice = (judged(torch.full_like(volume, value), volume)[0] for value in (0.2, 0.4))
    assert torch.allclose(twice, 4 * once, rtol=1e-3)
    nothing, _, _ = judged(to_signed(volume), volume)
    assert 0 < nothing.max() < 10 * SMALLEST


def test_every_level_has_gaussian_noise_of_its_own() -> None:
    volume = torch.full((4, 1, 16, 16), 0.5)
    _, oracle, table = judged(torch.zeros_like(volume), volume, first_timestep=100, last_timestep=101)
    (first, t), (second, _) = oracle.seen
    fields = [x_t / np.sqrt(1 - table[level]) for x_t, level in ((first, t), (second, t + 1))]
    assert abs(fields[0].std().item() - 1) < 0.05 and not torch.allclose(*fields, atol=0.1)
    neighbours = (fields[0][..., 1:] * fields[0][..., :-1]).mean().item()
    assert abs(neighbours) < 0.1


def test_estimate_is_clipped() -> None:
    volume = torch.full((1, 1, 16, 16), 0.5)
    far, one = (judged(torch.full_like(volume, value), volume)[0] for value in (7.0, 1.0))
    assert torch.allclose(far, one, rtol=1e-3)


def test_training_noise_is_a_pyramid() -> None:
    method = build()
    method.unet = spy = Oracle(torch.zeros(1), v_prediction.shifted_cosine(1000, 32, 56))
    image = torch.full((32, 1, 32, 32), 0.5)
    method.training_loss({"image": image, "brain": image > 0}, generator())
    x_t, noisy = spy.seen[0][0], []
    for row in x_t:  # of unit variance, if not of unknown level; neighbours agree
        row = (row - row.mean()) / row.std()
        noisy.append((row[..., 1:] * row[..., :-1]).mean().item())
    assert np.mean(noisy) > 0.3


def test_loss_is_that_of_the_noise() -> None:
    """A network that knows the image has no error; one that answers 0 has that of sigma x_t - n."""
    method, image = build(), torch.full((4, 1, 16, 16), 0.5)
    batch = {"image": image, "brain": image > 0}
    untrained = method.training_loss(batch, generator())["loss"].item()
    method.unet = Oracle(to_signed(image), v_prediction.shifted_cosine(1000, 16, 56))
    assert method.training_loss(batch, generator())["loss"].item() == pytest.approx(0, abs=1e-6)
    # x_t = sigma n here, so that the error is alpha^2 n, on average over the levels and with unit variance of the noise
    assert 0 < untrained < 1


def test_levels_must_rise() -> None:
    with pytest.raises(UserError, match="first_timestep: 200 goes beyond last_timestep = 125"):
        cards.resolve("andi", {"first_timestep": 200}, {}, None)
