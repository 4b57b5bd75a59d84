from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from madad.data.anomalies.perlin import draw_lattice, fade, noise


def lattice(seed: int, dims: int, fields: int = 1, cells: int = 2) -> torch.Tensor:
    return draw_lattice(fields, dims, np.random.default_rng(seed), cells)[None]


def sampled(seed: int, dims: int, n: int = 33, cells: int = 2) -> torch.Tensor:
    return noise(lattice(seed, dims, cells=cells), [torch.linspace(0, cells, n)[None]] * dims)[0, 0]


@pytest.mark.parametrize("dims", [2, 3])
def test_zero_at_the_nodes(dims: int) -> None:
    nodes = torch.arange(4.0)[None]
    assert noise(lattice(0, dims, cells=3), [nodes] * dims).abs().max() == 0


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000))
@pytest.mark.parametrize(("dims", "bound"), [(2, 1.0), (3, 3**0.5 / 2)])
def test_stays_within_its_bounds(dims: int, bound: float, seed: int) -> None:
    values = sampled(seed, dims, n=25)
    assert 0.05 < values.abs().max() < bound


def test_equals_the_textbook_sum_over_corners() -> None:
    gradients, (x, y) = lattice(3, 2), (0.3, 1.6)
    total = 0.0
    for i in (0, 1):
        for j in (1, 2):
            weight = (1 - fade(torch.tensor(abs(x - i)))) * (1 - fade(torch.tensor(abs(y - j))))
            total += float(weight * (gradients[0, 0, i, j, 0] * (x - i) + gradients[0, 0, i, j, 1] * (y - j)))
    found = noise(gradients, [torch.tensor([[x]]), torch.tensor([[y]])])
    assert float(found) == pytest.approx(2**0.5 * total, abs=1e-6)


def test_slope_is_continuous_across_a_node() -> None:
    points = (1 + torch.tensor([[-2e-3, -1e-3, 0, 1e-3, 2e-3]], dtype=torch.float64),)
    values = noise(lattice(1, 2).double(), [points[0], torch.tensor([[0.4]], dtype=torch.float64)])[0, 0, :, 0]
    slopes = values.diff() / 1e-3
    assert slopes.diff().abs().max() < 0.05 and slopes.abs().max() > 0.05


def test_same_seed_same_noise_and_fields_differ() -> None:
    assert torch.equal(lattice(5, 3, 2), lattice(5, 3, 2))
    fields = noise(lattice(5, 3, 3), [torch.linspace(0, 2, 9)[None]] * 3)[0]
    assert (fields[0] - fields[1]).abs().max() > 0.1 and (fields[1] - fields[2]).abs().max() > 0.1


def test_batch_equals_singles() -> None:
    both = torch.cat([lattice(1, 3), lattice(2, 3)])
    points = [torch.rand(2, n, generator=torch.Generator().manual_seed(n)) * 2 for n in (5, 6, 7)]
    together = noise(both, points)
    alone = torch.cat([noise(both[i : i + 1], [p[i : i + 1] for p in points]) for i in range(2)])
    assert torch.allclose(together, alone, atol=1e-6)
