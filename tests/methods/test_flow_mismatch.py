"""Flow mismatching: velocities, times and the smallest over paths."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.methods.flow_mismatch import FlowMismatch

SHAPE = (2, 1, 16, 16)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def build(**changes: object) -> FlowMismatch:
    torch.manual_seed(0)
    return FlowMismatch(**{**cards.tiny("flow_mismatch")["parameters"], **changes}).eval()


class Healthy(torch.nn.Module):
    """The best velocity where all slices are one healthy slice h: (h - x_t) / (1 - t)."""

    def __init__(self, healthy: torch.Tensor) -> None:
        super().__init__()
        self.healthy, self.seen = healthy, []

    def forward(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        self.seen.append((x_t, float(t[0]) / 1000))
        return (self.healthy[: len(x_t)] - x_t) / (1 - t / 1000).view(-1, 1, 1, 1)


def mapped(method: FlowMismatch, volume: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return method.anomaly_map(volume, None, torch.ones(volume[:, 0].shape, dtype=torch.bool), generator(seed))


def test_mismatch_of_the_best_velocity_is_the_residual_over_what_is_left_of_the_way() -> None:
    healthy, x, noise = (torch.rand(SHAPE, generator=generator(seed)) for seed in (1, 2, 3))
    method = build()
    method.unet = Healthy(healthy)
    for time in (0.2, 0.5, 0.8):
        found = method.mismatch(x, noise, torch.full((2,), time))
        assert torch.allclose(found, (healthy - x).square() / (1 - time) ** 2, atol=1e-3)


def test_map_weighs_times_by_their_square() -> None:
    healthy = torch.rand(SHAPE, generator=generator(1))
    volume = healthy.clone()
    volume[1, :, 4:8, 4:8] += 0.3
    method = build(times=4, paths=3)
    method.unet = Healthy(2 * healthy - 1)
    found = mapped(method, volume)
    assert sorted({round(time, 6) for _, time in method.unet.seen}) == [0.2, 0.4, 0.6, 0.8]
    expected = sum(t**2 * 0.6**2 / (1 - t) ** 2 for t in (0.2, 0.4, 0.6, 0.8)) / 4
    assert found[1, 4:8, 4:8].mean().item() == pytest.approx(expected, rel=1e-3)
    assert found[0].max() < 1e-4, "what is healthy has no mismatch, whatever the noise"


def test_quantiles_are_ordered_and_one_path_has_but_one() -> None:
    volume = torch.rand(SHAPE, generator=generator(1))
    maps = [mapped(build(paths=5, quantile=quantile), volume) for quantile in (0.0, 0.5, 1.0)]
    assert (maps[0] <= maps[1]).all() and (maps[1] <= maps[2]).all() and (maps[0] < maps[2]).any()
    assert torch.equal(*(mapped(build(paths=1, quantile=quantile), volume) for quantile in (0.0, 1.0)))


def test_untrained_network_scores_how_far_the_image_is_from_noise() -> None:
    volume = torch.rand(SHAPE, generator=generator(1))
    source = generator()
    noises = [torch.randn(SHAPE, generator=source) for _ in range(2)]
    smallest = torch.stack([(2 * volume - 1 - noise).square() for noise in noises]).amin(0)
    expected = (1 / 9 + 4 / 9) / 2 * smallest[:, 0]
    assert torch.allclose(mapped(build(), volume), expected, atol=1e-5)


def test_network_sees_the_signed_slice() -> None:
    volume = torch.full((1, 1, 64, 64), 0.25)
    method = build(times=1, paths=1)
    method.unet = Healthy(torch.zeros_like(volume))
    mapped(method, volume)
    assert method.unet.seen[0][0].mean().item() == pytest.approx(0.5 * -0.5, abs=0.03)


def test_a_bright_slice_does_not_change_the_map_of_another() -> None:
    volume = torch.rand(SHAPE, generator=generator(1))
    bright = volume.clone()
    bright[0] *= 10
    method = build()
    for weight in method.unet.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    assert torch.allclose(mapped(method, volume)[1], mapped(method, bright)[1], atol=1e-6)
