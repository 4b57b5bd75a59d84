from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from madad.data.anomalies import fluid
from madad.data.anomalies.fluid import Rates, derivative, evolve, stencil
from madad.data.anomalies.velocity import node_velocity
from tests.data.anomalies.flows import ball, centroid, depth_of, flow, whole

GRIDS = [(16, 16), (40, 52), (24, 30, 28)]
T = torch.tensor([0.9])


def depth_for(grid: tuple[int, ...], boundary: str) -> torch.Tensor | None:
    return depth_of(ball(grid, 0.45 * min(grid))) if boundary == "brain" else None


def uniform(grid: tuple[int, ...], speed: tuple[float, ...]) -> Rates:
    """Rates of a constant velocity, box model."""
    below = [torch.full((1, *grid), max(v, 0.0)) for v in speed]
    above = [torch.full((1, *grid), max(-v, 0.0)) for v in speed]
    for axis in range(len(grid)):
        below[axis].select(axis + 1, 0).zero_()
        above[axis].select(axis + 1, -1).zero_()
    return Rates(below, above)


def moved(start: torch.Tensor, rates: Rates, time: float, cfl: float) -> torch.Tensor:
    steps = max(1, round(time * float(rates.total()[0]) / cfl))
    return fluid._integrate(start.clone(), rates, torch.tensor([time / steps]), steps, shell=[])


@pytest.mark.parametrize("grid", GRIDS)
def test_derivative_is_the_upwind_difference(grid: tuple[int, ...]) -> None:
    state = torch.rand(1, *grid, generator=torch.Generator().manual_seed(1))
    expected = torch.zeros_like(state)
    for axis, v in enumerate(node_velocity(flow(grid), whole(grid)), start=1):
        n = state.shape[axis]
        back, ahead = torch.zeros_like(state), torch.zeros_like(state)
        back.narrow(axis, 1, n - 1).copy_(state.diff(dim=axis))
        ahead.narrow(axis, 0, n - 1).copy_(state.diff(dim=axis))
        expected -= v.clamp(min=0) * back + v.clamp(max=0) * ahead
    assert torch.allclose(derivative(state, stencil(flow(grid), whole(grid), None)), expected, atol=1e-5)


@pytest.mark.parametrize("boundary", ["box", "brain"])
def test_a_constant_stays(boundary: str) -> None:
    grid = (20, 22, 24)
    rates = stencil(flow(grid, diffusivity=3.0), whole(grid), depth_for(grid, boundary))
    assert derivative(torch.full((1, *grid), 0.7), rates).abs().max() == 0


def test_no_velocity_changes_nothing() -> None:
    start = ball((20, 20), 4)
    assert torch.equal(evolve(start, flow((20, 20), multiplier=0.0), T), start)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10_000), multiplier=st.floats(0, 3000), diffusivity=st.sampled_from([0.0, 20.0]), cfl=st.floats(0.3, 1.0)
)
@pytest.mark.parametrize("boundary", ["box", "brain"])
@pytest.mark.parametrize("grid", [(16, 16), (13, 22), (12, 17, 14)])
def test_bounds_hold(grid: tuple[int, ...], boundary: str, seed: int, multiplier: float, diffusivity: float, cfl: float) -> None:
    depth = depth_for(grid, boundary)
    start = torch.rand(1, *grid, generator=torch.Generator().manual_seed(seed)) * (1 if depth is None else depth > 0)
    end = evolve(start, flow(grid, seed, multiplier=multiplier, diffusivity=diffusivity), T, depth, cfl)
    assert end.dtype == torch.float32 and end.min() >= 0 and end.max() <= start.max()


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10_000))
@pytest.mark.parametrize("diffusivity", [0.0, 10.0])
@pytest.mark.parametrize("grid", GRIDS)
def test_nothing_crosses_the_contour_and_mass_is_exact(grid: tuple[int, ...], diffusivity: float, seed: int) -> None:
    depth = depth_for(grid, "brain")
    start = ball(grid, 0.2 * min(grid), tuple(0.3 * n for n in grid)) * (depth > 0)
    end = evolve(start, flow(grid, seed, diffusivity=diffusivity), T, depth)
    assert end[depth == 0].max() == 0
    assert float(end.double().sum() / start.double().sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("time", "low", "high"), [(0.9, 0.985, 1.005), (1.9, 0.97, 1.01)])
def test_mass_of_an_interior_lesion_in_the_box_model(time: float, low: float, high: float) -> None:
    start = ball((96, 96), 9).expand(6, -1, -1)
    end = evolve(start, flow((96, 96), *range(6)), torch.full((6,), time))
    ratios = end.sum((1, 2)) / start.sum((1, 2))
    assert ratios.min() > low and ratios.max() < high


def test_uniform_flow_moves_the_centroid_and_widens_by_its_speed() -> None:
    grid, speed = (48, 40), (5.0, -3.0)
    start = ball(grid, 5)
    end = moved(start, uniform(grid, speed), 0.9, cfl=0.02)
    assert centroid(end[0]) - centroid(start[0]) == pytest.approx([4.5, -2.7], abs=1e-2)
    places = torch.arange(48.0)
    before, after = start[0].sum(1), end[0].sum(1)
    variances = [float((p * places**2).sum() / p.sum() - ((p * places).sum() / p.sum()) ** 2) for p in (before, after)]
    assert variances[1] - variances[0] == pytest.approx(5.0 * 0.9, rel=0.02)


@pytest.mark.parametrize("boundary", ["box", "brain"])
@pytest.mark.parametrize("grid", [(64, 64), (32, 40, 36)])
def test_large_steps_agree_with_small_ones(grid: tuple[int, ...], boundary: str) -> None:
    depth, start = depth_for(grid, boundary), ball(grid, 0.15 * min(grid))
    coarse, fine = (evolve(start, flow(grid, 2), T, depth, cfl) for cfl in (1.0, 0.25))
    assert (coarse - fine).abs().max() < 2e-3


@pytest.mark.parametrize("boundary", ["box", "brain"])
def test_window_changes_nothing(boundary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = (56, 60, 52)
    depth, start = depth_for(grid, boundary), ball(grid, 5)
    cropped = evolve(start, flow(grid, 4), T, depth)
    monkeypatch.setattr(fluid, "TAIL", 100.0)
    assert (cropped - evolve(start, flow(grid, 4), T, depth)).abs().max() < 1e-3


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_core_stays_within_reach(seed: int) -> None:
    grid = (48, 48)
    start, one = ball(grid, 6), flow(grid, seed)
    reach = float(sum(v.abs().max() ** 2 for v in node_velocity(one, whole(grid))) ** 0.5) * 0.9 + 1
    far = depth_of(1 - start) > reach
    assert not (evolve(start, one, T)[far] > 0.5).any()


def test_mirrored_flow_carries_the_mirrored_lesion() -> None:
    grid = (30, 34)
    velocity = node_velocity(flow(grid, 7), whole(grid))
    rates = Rates([v.clamp(min=0) for v in velocity], [(-v).clamp(min=0) for v in velocity])
    mirrored = Rates(
        *([side[0].flip(1), rest.flip(1)] for side, rest in ((rates.above, rates.below[1]), (rates.below, rates.above[1])))
    )
    for one in (rates, mirrored):
        for axis in range(2):
            one.below[axis].select(axis + 1, 0).zero_()
            one.above[axis].select(axis + 1, -1).zero_()
    start = ball(grid, 5)
    assert torch.allclose(moved(start.flip(1), mirrored, 0.5, 0.5), moved(start, rates, 0.5, 0.5).flip(1), atol=1e-5)


@pytest.mark.parametrize("boundary", ["box", "brain"])
def test_batch_equals_singles(boundary: str) -> None:
    grid = (24, 28, 26)
    depth = depth_for(grid, boundary)
    start = torch.cat([ball(grid, 3), ball(grid, 5, (9.0, 14.0, 12.0))])
    times = torch.tensor([0.3, 0.9])
    together = evolve(start, flow(grid, 1, 2), times, depth, cfl=0.3)
    alone = [evolve(start[i : i + 1], flow(grid, i + 1), times[i : i + 1], depth, cfl=0.3) for i in range(2)]
    assert (together - torch.cat(alone)).abs().max() < 1e-3


@pytest.mark.parametrize("boundary", ["box", "brain"])
@pytest.mark.parametrize("grid", GRIDS)
def test_no_time_changes_nothing(grid: tuple[int, ...], boundary: str) -> None:
    start, depth = ball(grid, 3), depth_for(grid, boundary)
    assert torch.equal(evolve(start, flow(grid), torch.zeros(1), depth), start)
    soon = evolve(start, flow(grid), torch.tensor([1e-4]), depth)
    assert (soon - start).abs().max() < 1e-2


def test_map_without_time_in_a_batch_is_kept() -> None:
    start = torch.cat([ball((30, 30), 3, (0.0, 5.0)), ball((30, 30), 4)])
    assert torch.equal(evolve(start, flow((30, 30), 1, 2), torch.tensor([0.0, 0.9]))[0], start[0])


@pytest.mark.parametrize("boundary", ["box", "brain"])
@pytest.mark.parametrize("grid", GRIDS)
def test_empty_map_stays_empty_also_beside_another(grid: tuple[int, ...], boundary: str) -> None:
    depth, empty = depth_for(grid, boundary), torch.zeros(1, *grid)
    assert evolve(empty, flow(grid), T, depth).max() == 0
    both = evolve(torch.cat([empty, ball(grid, 3)]), flow(grid, 1, 2), T.expand(2), depth)
    assert both[0].max() == 0 and both[1].max() > 0


@pytest.mark.parametrize("boundary", ["box", "brain"])
@pytest.mark.parametrize("grid", GRIDS)
def test_lesion_of_one_voxel_spreads_and_stays_bounded(grid: tuple[int, ...], boundary: str) -> None:
    start = torch.zeros(1, *grid)
    start[(0, *(n // 2 for n in grid))] = 1
    end = evolve(start, flow(grid, 3), T, depth_for(grid, boundary))
    assert torch.isfinite(end).all() and 0 < end.max() <= 1 and (end > 0).sum() > 1


@pytest.mark.parametrize("grid", GRIDS)
def test_lesion_at_the_edge_of_the_array(grid: tuple[int, ...]) -> None:
    start = ball(grid, 4, tuple(0.0 for _ in grid))
    end = evolve(start, flow(grid, 5), T)
    assert torch.isfinite(end).all() and end.min() >= 0 and end.max() <= 1


@pytest.mark.parametrize("grid", GRIDS)
def test_shell_of_the_box_repeats_its_inner_neighbours(grid: tuple[int, ...]) -> None:
    state = torch.rand(2, *grid, generator=torch.Generator().manual_seed(0))
    moving = torch.tensor([True, False])
    repeated = fluid._repeat_shell(state.clone(), fluid._shell(whole(grid, 2), moving))
    inner = state[(slice(None), *(slice(1, -1),) * len(grid))]
    assert torch.equal(repeated[:1], functional.pad(inner[:1, None], [1] * 2 * len(grid), mode="replicate")[:, 0])
    assert torch.equal(repeated[1], state[1])


def test_shell_feeds_a_lesion_that_touches_the_border() -> None:
    grid = (24, 24)
    start, rates = ball(grid, 5, (0.0, 12.0)), stencil(flow(grid, 5), whole(grid), None)
    steps = fluid._steps(0.9 * float(rates.total()[0]), fluid.CFL)
    closed = fluid._integrate(start.clone(), rates, T / steps, steps, shell=[])
    assert (evolve(start, flow(grid, 5), T) - closed).abs().max() > 0.01


@pytest.mark.parametrize("size", [1, 2])
def test_flat_grids_do_not_break(size: int) -> None:
    grid = (20, size)
    end = evolve(torch.ones(1, *grid), flow(grid), T)
    assert end.shape == (1, *grid) and torch.isfinite(end).all()


def test_whole_brain_of_a_lesion_does_not_move() -> None:
    depth = depth_for((20, 24), "brain")
    start = (depth > 0).float()
    assert torch.allclose(evolve(start, flow((20, 24)), T, depth), start, atol=1e-5)


@pytest.mark.parametrize(
    ("start", "time", "cfl"),
    [
        (torch.full((1, 8, 8), float("nan")), T, 0.8),
        (torch.full((1, 8, 8), -1.0), T, 0.8),
        (torch.ones(1, 8, 8), -T, 0.8),
        (torch.ones(1, 8, 8), T, 1.2),
        (torch.ones(8, 8), T, 0.8),
    ],
)
def test_what_cannot_be_evolved_is_refused(start: torch.Tensor, time: torch.Tensor, cfl: float) -> None:
    with pytest.raises(ValueError):
        evolve(start, flow((8, 8)), time, None, cfl)


def test_input_is_untouched_and_threads_are_given_back() -> None:
    start, threads = ball((20, 20), 4), torch.get_num_threads()
    before = start.clone()
    evolve(start, flow((20, 20)), T)
    assert torch.equal(start, before) and torch.get_num_threads() == threads


@pytest.mark.gpu
def test_gpu_equals_cpu() -> None:
    grid, device = (40, 44, 42), torch.device("cuda")
    start, depth, one = ball(grid, 6), depth_for(grid, "brain"), flow(grid, 3)
    there = evolve(start.to(device), one.to(device), T.to(device), depth.to(device))
    assert (there.cpu() - evolve(start, one, T, depth)).abs().max() < 1e-5
