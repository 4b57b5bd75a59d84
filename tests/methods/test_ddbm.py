"""The diffusion bridge: its weights, its scaling, its sampler, and what the method makes of them."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.methods.ddbm import DDBM, column
from madad.models.diffusion import bridge
from tests.methods.latent_stand_ins import Cells, pair


def build(**changes: object) -> DDBM:
    torch.manual_seed(0)
    return DDBM(**{"autoencoder": None, **cards.tiny("ddbm")["parameters"], **changes})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def times(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_weights_of_both_ends_are_the_known_ones() -> None:
    a, b, c = bridge.weights(times(0.1, 0.25, 0.5, 0.75, 0.9))
    assert a.tolist() == pytest.approx([0.0173, 0.0757, 0.2604, 0.5607, 0.8049], abs=1e-4)
    assert b.tolist() == pytest.approx([0.9801, 0.9135, 0.7105, 0.4036, 0.1733], abs=1e-4)
    assert c.sqrt().tolist() == pytest.approx([0.1400, 0.2828, 0.4625, 0.5115, 0.4016], abs=1e-4)
    assert torch.stack(bridge.weights(times(0.0, 1.0))).tolist() == [[0, 1], [1, 0], [0, 0]]


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_input_and_answer_of_the_network_have_variance_one(correlation: float) -> None:
    scales = bridge.Scales(0.5, correlation)
    x_0, other, n = torch.randn(3, 200_000, generator=generator(), dtype=torch.float64)
    x_1 = 0.5 * (correlation * x_0 + (1 - correlation**2) ** 0.5 * other)
    x_0 = 0.5 * x_0
    for t in times(0.1, 0.5, 0.9):
        a, b, c = bridge.weights(t)
        x_t = a * x_1 + b * x_0 + c.sqrt() * n
        c_in, c_skip, c_out = scales.of(t)
        assert (c_in * x_t).var().item() == pytest.approx(1, abs=0.05)
        assert ((x_0 - c_skip * x_t) / c_out).var().item() == pytest.approx(1, abs=0.05)


def test_nodes_are_the_known_ones() -> None:
    found = bridge.nodes(40)
    assert found[:4].tolist() == pytest.approx([0.9999, 0.8757, 0.7650, 0.6666], abs=1e-4)
    assert found[-2:].tolist() == pytest.approx([1e-4, 0]) and len(found) == 41


def test_the_pull_makes_a_path_from_the_healthy_end_follow_the_bridge() -> None:
    x_0, x_1, steps = 0.3, 0.9, 2000
    x = torch.full((20_000,), x_0, dtype=torch.float64)
    for step in range(steps // 2):  # Euler, from t = 0 to 1/2
        t = times(max(step, 0.01) / steps)[0]
        rate = bridge.beta(t)
        pull = bridge.towards_end(x, torch.tensor(x_1), t)
        noise = torch.randn(x.shape, generator=generator(step), dtype=torch.float64)
        x = x + (-rate / 2 * x + rate * pull) / steps + (rate / steps).sqrt() * noise
    a, b, c = (weight.item() for weight in bridge.weights(times(0.5)[0]))
    assert x.mean().item() == pytest.approx(a * x_1 + b * x_0, abs=0.01)
    assert x.std().item() == pytest.approx(c**0.5, rel=0.02)


@pytest.mark.parametrize(("steps", "churn", "passes"), [(40, 0.33, 119), (8, 0.33, 23), (8, 0.0, 15)])
@pytest.mark.parametrize("end", [0.9, 0.3])
def test_an_oracle_leads_to_the_healthy_image_from_anywhere(steps: int, churn: float, passes: int, end: float) -> None:
    asked = []

    def oracle(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        asked.append(float(t))
        return torch.full_like(x_t, 0.3)

    for seed in (0, 1):
        found = bridge.walked_back(oracle, torch.full((1, 1, 16, 16), end), steps, churn, 1.0, generator(seed))
        assert torch.allclose(found, torch.full_like(found, 0.3), atol=0.02) and found.mean().item() == pytest.approx(
            0.3, abs=0.01
        )
    assert len(asked) == 2 * passes


class Knows(torch.nn.Module):
    """Stands in for the U-Net: answers so that the estimate is the given image, and keeps what it is shown."""

    def __init__(self, method: DDBM, x_0: torch.Tensor) -> None:
        super().__init__()
        self.scales, self.x_0, self.seen = method.scales, x_0, []

    def forward(self, joined: torch.Tensor, logarithms: torch.Tensor) -> torch.Tensor:
        self.seen.append((joined, logarithms))
        t = (logarithms.double() / bridge.TIME_SCALE).exp()
        c_in, c_skip, c_out = (column(scale, joined) for scale in self.scales.of(t))
        x_t = joined[:, : joined.shape[1] // 2] / c_in
        return (self.x_0 - c_skip * x_t) / c_out


@pytest.mark.parametrize("autoencoder", [None, Cells()])
def test_network_that_knows_the_healthy_image_has_no_loss_and_restores_it(autoencoder: Cells | None) -> None:
    batch = pair(2, 1, 16, 16)
    method = build(autoencoder=autoencoder, sampling_steps=8)
    method.unet = Knows(method, method.space.encode(batch["healthy"]))
    assert method.training_loss(batch, generator())["loss"].item() < 1e-4
    restored = method.reconstruct(batch["image"], generator())
    expected = method.space.decode_volume(method.space.encode(batch["healthy"]), 2)
    assert torch.allclose(restored, expected, atol=0.01)


def test_the_network_sees_the_patient_beside_the_path() -> None:
    batch = pair(2, 1, 16, 16)
    method = build()
    method.unet = Knows(method, 2 * batch["healthy"] - 1)
    method.training_loss(batch, generator())
    ((joined, logarithms),) = method.unet.seen
    assert torch.equal(joined[:, 1:], 2 * batch["image"] - 1)
    assert (logarithms < 0).all() and len(logarithms.unique()) == 2


def test_untrained_network_gives_finite_maps_that_depend_on_the_noise_alone() -> None:
    volume = pair(2, 1, 16, 16)["image"]
    method = build().eval()
    with torch.no_grad():
        first, again, other = (method.reconstruct(volume, generator(seed)) for seed in (0, 0, 1))
        calm = [build(churn=0.0).eval().reconstruct(volume, generator(seed)) for seed in (0, 1)]
    assert torch.isfinite(first).all() and torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(*calm)
