"""Lesions as drops in a fluid: ∂P/∂t = −V·∇P + ∇·(D ∇P), integrated to a random time.

Source: Liu et al. 2025, arXiv:2501.13370, equation 3; first-order upwind in space, SSP-RK3 in time (Shu and Osher 1988,
doi:10.1016/0021-9991(88)90177-5).

Both boundary models and both terms are one stencil: in a unit of time a voxel receives the share `below` from its lower
neighbour and `above` from its upper one,

    dP_i/dt = Σ_d below_d,i (P_{i−1} − P_i) + above_d,i (P_{i+1} − P_i),     below, above ≥ 0.

An Euler step of length Δt is a mean of neighbours as long as Δt · Σ_d (below + above) ≤ 1, and SSP-RK3 is a mean of Euler
steps: 0 ≤ P ≤ max P(0) holds by construction, in float32 as well.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from madad.data.anomalies.velocity import Box, Flow, diffusivity, face_velocity, node_velocity, scaled

# Courant number: at most 1 for the bounds; at 0.8 the error of time stepping stays below 1e-3 of the peak.
CFL = 0.8
# Short flows take at least this many steps: their fronts are still sharp, and their errors in time larger.
FEWEST_STEPS = 6
# The number of jumps to a voxel is about Poisson: this many standard deviations beyond the mean are kept.
TAIL = 4.0
# Velocities seldom exceed this many times multiplier / cell (measured: 2.4 to 2.8).
FASTEST = 3.0


Face = tuple[int, int, int, Tensor]


@dataclass(frozen=True)
class Rates:
    """Shares that a voxel receives from its neighbours in a unit of time, 0 at the ends of the window.

    Attributes:
        below: from the lower neighbour along each axis, D tensors (B, *size).
        above: from the upper neighbour along each axis, D tensors (B, *size).
    """

    below: list[Tensor]
    above: list[Tensor]

    def total(self) -> Tensor:
        """Return the largest sum over neighbours, (B,); the longest stable step is its inverse."""
        return sum(self.below[1:] + self.above, start=self.below[0]).flatten(1).amax(1)


@contextmanager
def one_thread() -> Generator[None]:
    """Keep torch on one CPU thread: for such small windows a second one gains little, and stalls where cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@one_thread()
@torch.no_grad()
def evolve(start: Tensor, flow: Flow, time: Tensor, depth: Tensor | None = None, cfl: float = CFL) -> Tensor:
    """Move maps along a flow. Returns (B, *grid) float32 with 0 ≤ P ≤ max P(0), the input where nothing moves.

    Args:
        start: non-negative maps P(0), (B, *grid), 2D or 3D.
        flow: one flow per map, on the maps' device.
        time: duration of each flow, (B,), at least 0.
        depth: distance to the nearest voxel outside the brain in voxels, 0 outside, (B or 1, *grid). With it nothing
            crosses the brain's contour and mass is kept (finite volumes, tapered potentials). Without it the array's
            outer shell repeats its inner neighbour, as in the authors' code, and mass can leave through the box.
        cfl: Courant number, at most 1.

    Raises:
        ValueError: a map is negative or not finite, a time is negative, or the Courant number is not in (0, 1].
    """
    _check(start, time, cfl)
    start = start.to(torch.float32)
    time = time.to(start.device, torch.float32)
    box = _reach(start, flow, time, depth)
    if box is None:
        return start.clone()
    rates = stencil(flow, box, depth)
    steps = _steps(float((time * rates.total()).max()), cfl)
    shell = _shell(box, time > 0) if depth is None else []
    state = _integrate(box.crop(start), rates, time / steps, steps, shell)
    # a value exceeds the peak only by rounding, by less than one part in a million
    peak = start.flatten(1).amax(1).view(-1, *[1] * box.dims)
    return box.paste(torch.minimum(state, peak))


def stencil(flow: Flow, box: Box, depth: Tensor | None) -> Rates:
    """Return the rates of exchange in a window: upwind advection and flux-form diffusion, for either boundary model."""
    if depth is None:
        velocity = node_velocity(flow, box)
        inside = torch.ones(1, *box.grid, device=flow.lattice.device)
        below, above = [v.clamp(min=0) for v in velocity], [v.clamp(max=0).neg_() for v in velocity]
    else:
        velocity = face_velocity(flow, box, depth)
        inside = (depth > 0).to(torch.float32)
        below = [v.narrow(d + 1, 0, box.size[d]).clamp(min=0) for d, v in enumerate(velocity)]
        above = [v.narrow(d + 1, 1, box.size[d]).clamp(max=0).neg_() for d, v in enumerate(velocity)]
    spread = diffusivity(flow, box)
    if spread is not None:
        _add_diffusion(below, above, spread, box.crop(inside))
    for d in range(box.dims):
        below[d].select(d + 1, 0).zero_()
        above[d].select(d + 1, -1).zero_()
    return Rates(below, above)


def derivative(state: Tensor, rates: Rates) -> Tensor:
    """Return dP/dt of the stencil, (B, *size)."""
    return euler_step(state, rates, torch.empty_like(state), torch.empty_like(state)) - state


def euler_step(state: Tensor, rates: Rates, out: Tensor, scratch: Tensor) -> Tensor:
    """Write state + Σ rates · differences into `out` and return it; rates are shares per step.

    Neighbours are read from the flattened array: where a shift wraps around an edge of the window the rate is 0.
    """
    out.copy_(state)
    flat, target, work = state.view(-1), out.view(-1), scratch.view(-1)
    for d, (below, above) in enumerate(zip(rates.below, rates.above, strict=True)):
        shift = state.stride(d + 1)
        if shift >= len(flat):
            continue
        difference = torch.sub(flat[shift:], flat[:-shift], out=work[shift:])
        target[shift:].addcmul_(below.view(-1)[shift:], difference, value=-1)
        target[:-shift].addcmul_(above.view(-1)[:-shift], difference)
    return out


def _integrate(state: Tensor, rates: Rates, step: Tensor, steps: int, shell: list[Face]) -> Tensor:
    """Integrate by SSP-RK3 (Shu and Osher 1988, equation 2.18) with one step length per sample."""
    length = step.view(-1, *[1] * (state.ndim - 1))
    shares = Rates(*([(rate * length).contiguous() for rate in side] for side in (rates.below, rates.above)))
    state, first, second, scratch = state.contiguous(), *(torch.empty_like(state) for _ in range(3))

    def euler(source: Tensor, out: Tensor) -> Tensor:
        return euler_step(_repeat_shell(source, shell), shares, out, scratch)

    for _ in range(steps):
        euler(state, first)
        second = torch.lerp(state, euler(first, second), 0.25, out=second)
        first = euler(second, first)
        state = torch.lerp(state, first, 2 / 3, out=state)
    return state


def _steps(jumps: float, cfl: float) -> int:
    """Return the number of time steps for a flow in which the busiest voxel exchanges its content `jumps` times."""
    return max(1, math.ceil(jumps / cfl), min(FEWEST_STEPS, math.ceil(FEWEST_STEPS * jumps)))


def _shell(box: Box, moving: Tensor) -> list[Face]:
    """Return the faces of the windows on the array's border, as (axis, voxel, its inner neighbour, samples)."""
    faces = []
    for axis, (length, size) in enumerate(zip(box.grid, box.size, strict=True)):
        starts = box.start[:, axis]
        for at, inner, touches in ((0, 1, starts == 0), (size - 1, size - 2, starts + size == length)):
            samples = touches.to(moving.device) & moving
            if size > 2 and bool(samples.any()):
                faces.append((axis + 1, at, inner, samples))
    return faces


def _repeat_shell(state: Tensor, faces: list[Face]) -> Tensor:
    """Set the array's outermost voxels to the values of their inner neighbours, in place."""
    for axis, at, inner, samples in faces:
        state.select(axis, at)[samples] = state.select(axis, inner)[samples]
    return state


def _add_diffusion(below: list[Tensor], above: list[Tensor], spread: Tensor, inside: Tensor) -> None:
    """Add D at the faces between voxels of the brain, the mean of both sides: the flux form, which conserves mass."""
    for d in range(len(below)):
        length = spread.shape[d + 1]
        low, high = (0, length - 1), (1, length - 1)
        mean = (spread.narrow(d + 1, *low) + spread.narrow(d + 1, *high)) / 2
        face = mean * inside.narrow(d + 1, *low) * inside.narrow(d + 1, *high)
        below[d].narrow(d + 1, 1, length - 1).add_(face)
        above[d].narrow(d + 1, 0, length - 1).add_(face)


def _reach(start: Tensor, flow: Flow, time: Tensor, depth: Tensor | None) -> Box | None:
    """Return a window with everything the maps can reach; None when all are empty or no time passes.

    The first window is sized by the usual speed; it grows until the rates in it no longer lead out of it.
    """
    support = _support(start, time)
    if support is None:
        return None
    low, high = support
    grid, longest = tuple(start.shape[1:]), time.cpu()[:, None]
    speed = FASTEST * scaled(flow.multiplier, grid) * (flow.lattice.shape[2] - 1) / max(grid)
    guess = _jumps((speed + 2 * scaled(flow.diffusivity, grid)) * longest).expand_as(low)
    down = up = guess
    while True:
        box = _window(low - down, high + up, grid)
        rates = stencil(flow, box, depth)
        needs_down, needs_up = (_jumps(_fastest(side) * longest) for side in (rates.above, rates.below))
        if bool((needs_down <= down).all() and (needs_up <= up).all()) or box.size == grid:
            return _window(low - needs_down, high + needs_up, grid)
        down, up = torch.maximum(down, needs_down), torch.maximum(up, needs_up)


def _fastest(rates: list[Tensor]) -> Tensor:
    """Return the largest rate along every axis, (B, D) on the CPU."""
    return torch.stack([rate.flatten(1).amax(1) for rate in rates], 1).cpu()


def _support(start: Tensor, time: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return the first and last non-zero voxel along every axis, (B, D) each on the CPU; the middle one for an empty map."""
    inside = start > 0
    if not (inside.flatten(1).any(1) & (time > 0)).any():
        return None
    low, high = [], []
    for axis in range(1, start.ndim):
        line = inside.movedim(axis, 1).flatten(2).any(2)
        middle = torch.full_like(line[:, 0], line.shape[1] // 2, dtype=torch.long)
        low.append(torch.where(line.any(1), line.int().argmax(1), middle))
        high.append(torch.where(line.any(1), line.shape[1] - 1 - line.flip(1).int().argmax(1), middle))
    return torch.stack(low, 1).cpu(), torch.stack(high, 1).cpu()


def _jumps(mean: Tensor) -> Tensor:
    """Return how far a voxel's content moves when it jumps `mean` times on average, with a margin."""
    return torch.ceil(mean + TAIL * mean.sqrt()).long() + 2 * (mean > 0)


def _window(low: Tensor, high: Tensor, grid: tuple[int, ...]) -> Box:
    """Return the smallest windows of one size that hold low … high of every sample, shifted to lie inside the grid."""
    shape = torch.tensor(grid)
    low, high = low.clamp(min=0), torch.minimum(high, shape - 1)
    size = (high - low + 1).amax(0)
    return Box(grid, torch.minimum(low, shape - size), tuple(size.tolist()))


def _check(start: Tensor, time: Tensor, cfl: float) -> None:
    if start.ndim not in (3, 4) or len(time) != len(start):
        raise ValueError(
            f"maps (B, *grid) in 2D or 3D with one time each are needed, not {tuple(start.shape)} and {len(time)} times"
        )
    if not bool(torch.isfinite(start).all()) or bool((start < 0).any()):
        raise ValueError("a map to be evolved is negative or not finite")
    if not bool((time >= 0).all()) or not 0 < cfl <= 1:
        raise ValueError(f"times must be at least 0 and the Courant number in (0, 1], not {time.tolist()} and {cfl}")
