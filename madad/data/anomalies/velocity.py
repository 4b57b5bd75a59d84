"""Divergence-free velocity from random potentials, V = curl Ψ, and diffusion D = Φ².

Source: Liu et al. 2025, arXiv:2501.13370, equations 2 and 3. On a grid N voxels wide the multiplier is scaled by
(N / 200)², which keeps displacement relative to the field of view; unscaled it tears small grids apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from madad.data.anomalies.perlin import CELLS, draw_lattice, fade, noise

MULTIPLIER = 500.0
REFERENCE_WIDTH = 200
# Width of the rim along the brain's contour in which the potentials fade to 0, as a share of the field of view.
TAPER = 0.1
# Velocity d is a sum of sign · ∂_axis Ψ_field, listed as (axis, field, sign).
CURL = {
    2: (((1, 0, -1),), ((0, 0, 1),)),
    3: (((1, 2, 1), (2, 1, -1)), ((2, 0, 1), (0, 2, -1)), ((0, 1, 1), (1, 0, -1))),
}
POTENTIALS = {2: 1, 3: 3}


@dataclass(frozen=True)
class Box:
    """A window of one size into every grid of a batch.

    Attributes:
        grid: shape of the whole grid, (n_1, …, n_D).
        start: first voxel of the window of every sample, (B, D) on the CPU.
        size: shape of the window, (s_1, …, s_D).
    """

    grid: tuple[int, ...]
    start: Tensor
    size: tuple[int, ...]

    @property
    def dims(self) -> int:
        """Number of axes."""
        return len(self.grid)

    def crop(self, array: Tensor, margin: int = 0) -> Tensor:
        """Crop an array (B or 1, *grid) to the window, grown by `margin` (zeros outside the grid). Returns (B, *size)."""
        padded = functional.pad(array, [margin] * (2 * self.dims)) if margin else array
        windows = []
        for sample, start in enumerate(self.start.tolist()):
            index = tuple(slice(low, low + size + 2 * margin) for low, size in zip(start, self.size, strict=True))
            windows.append(padded[min(sample, len(padded) - 1)][index])
        return torch.stack(windows)

    def paste(self, windows: Tensor) -> Tensor:
        """Return arrays (B, *grid) that contain the windows (B, *size) and are 0 elsewhere."""
        whole = windows.new_zeros(len(windows), *self.grid)
        for sample, start in enumerate(self.start.tolist()):
            index = tuple(slice(low, low + size) for low, size in zip(start, self.size, strict=True))
            whole[(sample, *index)] = windows[sample]
        return whole


@dataclass(frozen=True)
class Flow:
    """The random numbers that define a flow, and their scale.

    Attributes:
        lattice: (B, F + 1, nodes, …, D) Perlin gradients: F potentials, then Φ.
        multiplier: factor of the potentials, on a grid 200 voxels wide.
        diffusivity: approximate largest D, in voxel² per unit of time on a grid 200 voxels wide; 0 for pure advection.
    """

    lattice: Tensor
    multiplier: float = MULTIPLIER
    diffusivity: float = 0.0

    def to(self, device: torch.device) -> Flow:
        """Return the same flow on a device."""
        return Flow(self.lattice.to(device), self.multiplier, self.diffusivity)


def draw_flow(dims: int, generators: list[np.random.Generator], **scale: float) -> Flow:
    """Draw one flow per generator with independent potentials; Φ is always drawn, so that D does not change V."""
    lattices = [draw_lattice(POTENTIALS[dims] + 1, dims, generator, CELLS) for generator in generators]
    return Flow(torch.stack(lattices), **scale)


def scaled(value: float, grid: tuple[int, ...]) -> float:
    """Scale a multiplier or diffusivity from a grid 200 voxels wide to another grid, so that the pattern stays the same."""
    return value * (max(grid) / REFERENCE_WIDTH) ** 2


def node_velocity(flow: Flow, box: Box) -> list[Tensor]:
    """Return the velocity at voxel centres by central differences, in voxels per unit of time: D tensors (B, *size).

    Its central-difference divergence is 0 to rounding, because central differences commute.
    """
    potentials = _potentials(flow, box, [_points(box, axis, -1, 2) for axis in range(box.dims)])
    inner = [slice(1, -1)] * box.dims

    def derivative(field: Tensor, axis: int) -> Tensor:
        above, below = list(inner), list(inner)
        above[axis], below[axis] = slice(2, None), slice(None, -2)
        return (field[(..., *above)] - field[(..., *below)]) / 2

    return _curl(potentials, derivative)


def face_velocity(flow: Flow, box: Box, depth: Tensor) -> list[Tensor]:
    """Return the velocity through voxel faces, 0 on the contour: D tensors (B, *size), one longer along their own axis.

    The potentials are defined on the voxels' edges (corners in 2D) and fade to 0 towards the contour, so that the fluxes of
    every voxel add up to 0 and nothing crosses the contour.

    Args:
        flow: the random flow.
        box: the window.
        depth: distance to the nearest voxel outside the brain, in voxels, 0 outside, (B or 1, *grid).
    """
    width = max(TAPER * max(box.grid), 2.0)
    near = box.crop(depth, margin=1)
    potentials = []
    for field in range(POTENTIALS[box.dims]):
        corners = [axis for axis in range(box.dims) if box.dims == 2 or axis != field]
        points = [_points(box, axis, -0.5, 1.5) if axis in corners else _points(box, axis, 0, 1) for axis in range(box.dims)]
        part = Flow(flow.lattice[:, field : field + 1], flow.multiplier)
        # the edge is as deep as the shallowest of the voxels around it
        ramp = fade((_shallowest(near, corners) / width).clamp(max=1))
        potentials.append(_potentials(part, box, points)[0] * ramp)
    return _curl(potentials, lambda field, axis: field.diff(dim=axis + 1))


def diffusivity(flow: Flow, box: Box) -> Tensor | None:
    """Return D = κ (2Φ)² at voxel centres, (B, *size), in voxel² per unit of time; None for pure advection."""
    if flow.diffusivity <= 0:
        return None
    points = [_points(box, axis, 0, 1) for axis in range(box.dims)]
    return scaled(flow.diffusivity, box.grid) * (2 * _fields(flow.lattice[:, -1:], box, points)[:, 0]) ** 2


def _potentials(flow: Flow, box: Box, points: list[Tensor]) -> list[Tensor]:
    fields = _fields(flow.lattice[:, : POTENTIALS[box.dims]], box, points)
    return list(fields.mul_(scaled(flow.multiplier, box.grid)).unbind(1))


def _fields(lattice: Tensor, box: Box, points: list[Tensor]) -> Tensor:
    """Return noise at voxel positions; the lattice spans a cube as wide as the grid's longest side, centred on the grid."""
    width = max(box.grid)
    cell = width / (lattice.shape[2] - 1)
    positions = [(at.to(lattice.device) + 0.5 + (width - n) / 2) / cell for at, n in zip(points, box.grid, strict=True)]
    return noise(lattice, positions)


def _points(box: Box, axis: int, first: float, beyond: float) -> Tensor:
    """Return the positions along an axis from `first` to below size − 1 + `beyond`, relative to the window, (B, n)."""
    steps = torch.arange(first, box.size[axis] - 1 + beyond, dtype=torch.float32)
    return box.start[:, axis, None] + steps


def _curl(potentials: list[Tensor], derivative: Callable[[Tensor, int], Tensor]) -> list[Tensor]:
    dims = potentials[0].ndim - 1
    components = []
    for terms in CURL[dims]:
        parts = [derivative(potentials[field], axis) * sign for axis, field, sign in terms]
        components.append(parts[0] if len(parts) == 1 else parts[0] + parts[1])
    return components


def _shallowest(depth: Tensor, corners: list[int]) -> Tensor:
    """Return the minimum over the voxels around an edge; the input has a margin of one voxel, (B, *size + 2)."""
    for axis in range(depth.ndim - 1):
        length = depth.shape[axis + 1]
        if axis in corners:
            depth = torch.minimum(depth.narrow(axis + 1, 0, length - 1), depth.narrow(axis + 1, 1, length - 1))
        else:
            depth = depth.narrow(axis + 1, 1, length - 2)
    return depth
