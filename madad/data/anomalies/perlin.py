"""Gradient noise, evaluated anywhere without building it on a whole grid.

Source: Perlin 2002, doi:10.1145/566654.566636 (quintic fade). One octave is a sum over lattice nodes n of
w(x − n) · g_n·(x − n), where w is a product of one-dimensional fades; it is therefore a few products of small matrices,
and only the requested box is ever computed.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# Lattice cells along the longest side of the grid (Liu et al. 2025, arXiv:2501.13370).
CELLS = 2


def draw_lattice(fields: int, dims: int, generator: np.random.Generator, cells: int = CELLS) -> Tensor:
    """Draw independent unit gradients at the nodes of a lattice.

    Directions are uniform on the circle or the sphere, so that no axis is favoured.

    Args:
        fields: number of independent noise fields.
        dims: 2 or 3.
        generator: source of the directions; the same on every device.
        cells: cells along every axis.

    Returns:
        (fields, cells + 1, …, dims) float32 on the CPU.
    """
    gradients = torch.from_numpy(generator.standard_normal((fields, *[cells + 1] * dims, dims), dtype=np.float32))
    return gradients / gradients.norm(dim=-1, keepdim=True).clamp_min(1e-12)


def noise(lattice: Tensor, coordinates: list[Tensor]) -> Tensor:
    """Return noise on the product grid of coordinates.

    Zero at the nodes, continuously differentiable, within ±1 (2D, scaled by √2 as is customary) or ±√3/2 (3D).

    Args:
        lattice: (B, F, nodes, …, D) gradients, D the number of axes.
        coordinates: D tensors (B, n_d), in lattice cells; node k lies at k.

    Returns:
        (B, F, n_1, …, n_D).
    """
    dims = len(coordinates)
    bases = [_basis(points, lattice.shape[2 + axis]) for axis, points in enumerate(coordinates)]
    total = _contract(lattice[..., 0], bases, 0)
    for direction in range(1, dims):
        total += _contract(lattice[..., direction], bases, direction)
    return total.mul_(2**0.5) if dims == 2 else total


def fade(t: Tensor) -> Tensor:
    """Return 6t⁵ − 15t⁴ + 10t³ for t in [0, 1]: from 0 to 1 with vanishing first and second derivatives at both ends."""
    return t * t * t * (t * (t * 6 - 15) + 10)


def _basis(points: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    """Return the weights of the nodes, and the weights times offsets, each (B, n, nodes)."""
    offsets = points[..., None] - torch.arange(nodes, device=points.device, dtype=points.dtype)
    weights = 1 - fade(offsets.abs().clamp(max=1))
    return weights, weights * offsets


def _contract(gradients: Tensor, bases: list[tuple[Tensor, Tensor]], direction: int) -> Tensor:
    """Return the sum over nodes of g_n · Π_d w(x_d − n_d) · (x_direction − n_direction); gradients (B, F, nodes, …).

    The last axis is contracted first, so that the large product comes only at the end.
    """
    values = gradients
    for axis in reversed(range(len(bases))):
        matrix = bases[axis][int(axis == direction)]
        moved = values.movedim(2 + axis, 2)
        product = torch.matmul(matrix[:, None], moved.flatten(3))
        values = product.unflatten(3, moved.shape[3:]).movedim(2, 2 + axis)
    return values.contiguous()
