from __future__ import annotations

import pytest
import torch

from madad.data.anomalies.velocity import Flow, diffusivity, face_velocity, node_velocity, scaled
from tests.data.anomalies.flows import ball, depth_of, flow, whole

GRIDS = [(24, 31), (16, 16), (18, 22, 20)]


@pytest.mark.parametrize("grid", GRIDS)
def test_central_divergence_is_zero(grid: tuple[int, ...]) -> None:
    velocity = node_velocity(flow(grid), whole(grid))
    inner = [slice(1, -1)] * len(grid)
    total = 0
    for axis, component in enumerate(velocity):
        above, below = list(inner), list(inner)
        above[axis], below[axis] = slice(2, None), slice(None, -2)
        total = total + (component[0][tuple(above)] - component[0][tuple(below)]) / 2
    assert total.abs().max() < 1e-5 * max(component.abs().max() for component in velocity)


@pytest.mark.parametrize("grid", GRIDS)
def test_fluxes_of_every_voxel_cancel_and_none_crosses_the_contour(grid: tuple[int, ...]) -> None:
    brain = ball(grid, 0.4 * min(grid))
    velocity = face_velocity(flow(grid), whole(grid), depth_of(brain))
    total = sum(component.diff(dim=axis + 1) for axis, component in enumerate(velocity))
    fastest = max(component.abs().max() for component in velocity)
    assert fastest > 0.01 and total.abs().max() < 1e-5 * fastest + 1e-6
    for axis, component in enumerate(velocity):
        length = grid[axis]
        low, high = (brain.narrow(axis + 1, at, length - 1) for at in (0, 1))
        inner = component.narrow(axis + 1, 1, length - 1)
        assert inner[(low * high) == 0].abs().max() == 0


def test_velocity_runs_along_the_level_lines_in_2d() -> None:
    grid = (40, 40)
    one = flow(grid)
    v0, v1 = node_velocity(one, whole(grid))
    start, step = whole(grid), 1
    from madad.data.anomalies.velocity import _points, _potentials

    psi = _potentials(one, start, [_points(start, axis, -1, 2) for axis in range(2)])[0][0]
    slope0, slope1 = (psi[2:, 1:-1] - psi[:-2, 1:-1]) / (2 * step), (psi[1:-1, 2:] - psi[1:-1, :-2]) / (2 * step)
    assert (v0[0] * slope0 + v1[0] * slope1).abs().max() < 1e-5 * slope0.abs().max() ** 2


def test_three_potentials_are_independent() -> None:
    vx, vy, vz = node_velocity(flow((20, 20, 20)), whole((20, 20, 20)))
    assert (vx + vy + vz).abs().max() > 0.2 * vx.abs().max()


def test_displacement_keeps_its_share_of_the_field_of_view() -> None:
    means = [sum(v.abs().mean() for v in node_velocity(flow((n, n)), whole((n, n)))) / n for n in (32, 128)]
    assert float(means[0]) == pytest.approx(float(means[1]), rel=0.05)
    assert scaled(500, (100, 80)) == 125


def test_part_of_the_grid_moves_as_in_the_whole() -> None:
    from madad.data.anomalies.velocity import Box

    grid = (20, 24, 22)
    box = Box(grid, torch.tensor([[3, 5, 2]]), (8, 9, 10))
    everything = node_velocity(flow(grid), whole(grid))
    for part, all_of_it in zip(node_velocity(flow(grid), box), everything, strict=True):
        assert torch.allclose(part, box.crop(all_of_it), atol=1e-5)


def test_diffusivity_is_never_negative_and_off_by_default() -> None:
    grid = (20, 20)
    assert diffusivity(flow(grid), whole(grid)) is None
    spread = diffusivity(flow(grid, diffusivity=4.0), whole(grid))
    assert spread.min() >= 0 and 0 < spread.max() < 4 * 4.0 * scaled(1, grid)


def test_diffusion_does_not_change_the_flow() -> None:
    grid = (20, 20)
    plain, spread = node_velocity(flow(grid), whole(grid)), node_velocity(flow(grid, diffusivity=4.0), whole(grid))
    assert all(torch.equal(a, b) for a, b in zip(plain, spread, strict=True))


def test_window_is_cut_and_put_back() -> None:
    from madad.data.anomalies.velocity import Box

    box = Box((5, 6), torch.tensor([[1, 2], [0, 3]]), (3, 3))
    arrays = torch.rand(2, 5, 6, generator=torch.Generator().manual_seed(0))
    windows = box.crop(arrays)
    assert torch.equal(windows[1], arrays[1, 0:3, 3:6])
    assert torch.equal(box.crop(box.paste(windows)), windows) and box.paste(windows)[0, 0].sum() == 0
    assert box.crop(arrays, margin=1).shape == (2, 5, 5)


def test_flow_can_go_to_a_device() -> None:
    assert isinstance(flow((8, 8)).to(torch.device("cpu")), Flow)
