"""Corruption of latents inside the outlines of random walks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.draw import polygon

from madad.models.diffusion.walks import LONGEST, Walks, coloured_noise, draw_outlines, draw_walk, filled, mixed, shuffled


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def brain(side: int = 32) -> np.ndarray:
    row, column = np.indices((side, side)) - side / 2
    return (row / 0.4 / side) ** 2 + (column / 0.35 / side) ** 2 < 1


def test_as_many_outlines_as_published() -> None:
    counts = np.bincount([len(draw_outlines(brain(8), source)) for source in [generator()] for _ in range(10_000)], minlength=5)
    assert counts / 10_000 == pytest.approx([0.1, 0.9 * 0.48, 0.9 * 0.24, 0.9 * 0.16, 0.9 * 0.12], abs=0.015)


def test_walks_stay_in_the_brain_and_are_short_more_often() -> None:
    inside, source = brain(), generator()
    places, lengths = np.argwhere(inside), []
    for _ in range(400):
        walk = draw_walk(inside, places, LONGEST[0], source)
        assert inside[tuple(walk.T)].all()
        assert (np.abs(np.diff(walk, axis=0)) <= 1).all()
        lengths.append(len(walk))
    assert max(lengths) <= LONGEST[0]
    # with weights from 10 down to 1 the mean is 3/11 + 1/2 * ... of the longest: about 0.36
    weights = 10 - 9 * np.arange(200) / 200
    refused = 0.1  # steps that leave the brain are not taken
    assert np.mean(lengths) == pytest.approx((weights * np.arange(200)).sum() / weights.sum(), rel=0.15 + refused)


def test_a_walk_without_steps_is_one_cell() -> None:
    assert filled(np.array([[3, 4]]), (8, 8)).sum() == 1


@pytest.mark.parametrize("seed", range(8))
def test_outlines_hold_what_is_visited_enclosed_or_on_the_closing_line(seed: int) -> None:
    inside = brain()
    walk = draw_walk(inside, np.argwhere(inside), 200, generator(seed))
    cells = filled(walk, inside.shape)
    visited = np.zeros_like(cells)
    visited[tuple(walk.T)] = True
    assert cells[visited].all()
    enclosed = np.zeros_like(cells)
    enclosed[polygon(*walk.T, cells.shape)] = True
    ends = np.linspace(walk[-1], walk[0], 200).round().astype(int)
    line = np.zeros_like(cells)
    line[tuple(ends.T)] = True
    assert (~cells | visited | enclosed | line).all()
    border = visited | line
    assert (cells | border)[enclosed].all(), "all that is enclosed, whatever a library counts as the border"


def test_a_square_walk_encloses_its_inside() -> None:
    corners = [(2, column) for column in range(2, 7)] + [(row, 6) for row in range(3, 7)]
    corners += [(6, column) for column in range(5, 1, -1)] + [(row, 2) for row in range(5, 2, -1)]
    cells = filled(np.array(corners), (9, 9))
    assert cells[2:7, 2:7].all() and cells.sum() == 25


def test_mixing_keeps_the_variance() -> None:
    healthy, filling = (torch.randn(4, 100, 100, generator=generator(seed)) for seed in (1, 2))
    for strength in (0.0, 0.2, 0.5, 1.0):
        found = mixed(healthy, filling, torch.full((100, 100), strength))
        assert found.var().item() == pytest.approx(1, abs=0.03)
    assert torch.equal(mixed(healthy, filling, torch.zeros(100, 100)), healthy)
    assert torch.equal(mixed(healthy, filling, torch.ones(100, 100)), filling)


def test_noise_has_a_colour_for_every_channel_and_unit_variance_over_draws() -> None:
    draws = torch.stack([coloured_noise((4, 6, 6), source) for source in [generator()] for _ in range(4000)])
    assert draws.var(dim=0).mean().item() == pytest.approx(1, abs=0.05)
    means = draws.mean(dim=(2, 3))
    assert means.var().item() == pytest.approx(0.5 + 0.5 / 36, abs=0.05)


def test_latents_outside_the_outlines_stay() -> None:
    latents, inside = torch.randn(6, 3, 32, 32, generator=generator()), torch.from_numpy(brain()).expand(6, 1, 32, 32)
    corrupted = Walks(foreign=True)(latents, inside, generator(3))
    changed = (corrupted != latents).any(dim=1)
    assert 0.01 < changed.float().mean() < 0.4
    assert (corrupted != latents).all(dim=1)[changed].float().mean() > 0.99
    assert torch.equal(corrupted, Walks(foreign=True)(latents, inside, generator(3)))
    assert not torch.equal(corrupted, Walks(foreign=True)(latents, inside, generator(4)))


def test_noise_alone_looks_at_no_other_slice() -> None:
    latents, inside = torch.randn(3, 2, 24, 20, generator=generator()), torch.ones(3, 1, 24, 20, dtype=torch.bool)
    others = latents.clone()
    others[1:] *= 10
    noise, foreign = Walks(foreign=False), Walks(foreign=True)
    assert torch.equal(noise(latents, inside, generator())[0], noise(others, inside, generator())[0])
    draws = [(foreign(latents, inside, generator(s))[0], foreign(others, inside, generator(s))[0]) for s in range(12)]
    assert not all(torch.equal(one, other) for one, other in draws)


def test_pieces_are_the_same_cells_elsewhere() -> None:
    latents = torch.arange(2 * 7 * 6.0).view(2, 7, 6)
    piece = shuffled(latents, generator())
    assert torch.equal(piece.flatten().sort().values, latents.flatten())
    assert torch.equal(piece[1] - piece[0], torch.full((7, 6), 42.0)), "channels of a cell stay together"
    assert not torch.equal(piece, latents)


def test_a_slice_without_brain_stays() -> None:
    latents = torch.randn(2, 2, 16, 16)
    assert torch.equal(Walks(foreign=True)(latents, torch.zeros(2, 1, 16, 16, dtype=torch.bool), generator()), latents)
