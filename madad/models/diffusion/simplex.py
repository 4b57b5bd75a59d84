"""OpenSimplex noise on the device that computes.

The positions of the pixels between the points of the lattice are the same in every field, unlike the gradients at the points.
They are computed once for a grid, so that a field is a sum of gathered gradients. The noise is that of the package `opensimplex`
(K. Spencer 2014, public domain) in float32.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from opensimplex import constants, internals
from torch import Tensor

from madad.core import draws

FINEST_WAVELENGTH = 2
# Lattice points whose gradients reach a pixel.
POINTS = 4


def fields(
    seeds: list[int], height: int, width: int, wavelength: float, octaves: int, persistence: float, device: torch.device
) -> Tensor:
    """Return fractal noise (N, H, W) float32 on a device, one field for every seed.

    Args:
        seeds: N of them.
        height, width: of a field.
        wavelength: of the coarsest octave, in pixels.
        octaves: most of them; those finer than two pixels are left out.
        persistence: amplitude of an octave relative to the one before it.
        device: that computes.
    """
    tables = np.stack([internals._init(seed)[0] for seed in seeds]).astype(np.uint8)
    permutations = draws.sent(torch.from_numpy(tables), device).long()
    total = torch.zeros(len(seeds), height * width, device=device)
    for cells, pulls in _lattice(height, width, wavelength, octaves, persistence, str(device)):
        for (column, row), (pull_x, pull_y) in zip(cells, pulls, strict=True):
            index = permutations.gather(1, (permutations[:, column] + row) & 0xFF) & 0x0E
            total += _gradients(index, 0, device) * pull_x + _gradients(index, 1, device) * pull_y
    return total.view(-1, height, width)


def _gradients(index: Tensor, axis: int, device: torch.device) -> Tensor:
    table = _gradient_table(str(device))
    return table[index + axis]


@lru_cache(maxsize=4)
def _gradient_table(device: str) -> Tensor:
    return torch.from_numpy(constants.GRADIENTS2.astype(np.float32)).to(device)


@lru_cache(maxsize=4)
def _lattice(
    height: int, width: int, wavelength: float, octaves: int, persistence: float, device: str
) -> list[tuple[Tensor, Tensor]]:
    """Return, for every octave, the lattice points of every pixel (4, 2, P) and the pull of their gradients (4, 2, P)."""
    y, x = (axis.ravel().astype(np.float64) for axis in np.mgrid[:height, :width])
    found = []
    for k in range(octaves):
        length = wavelength / 2**k
        if length < FINEST_WAVELENGTH:
            break
        cells, pulls = _points(x / length, y / length)
        scaled = (persistence**k * pulls).astype(np.float32)
        found.append((torch.from_numpy(cells & 0xFF).to(device), torch.from_numpy(scaled).to(device)))
    return found


def _points(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the four lattice points (4, 2, P) that reach the positions, and offset times attenuation (4, 2, P)."""
    squish = constants.SQUISH_CONSTANT2
    stretched = np.stack([x, y]) + (x + y) * constants.STRETCH_CONSTANT2
    base = np.floor(stretched).astype(np.int64)
    inner = stretched - base
    offset = np.stack([x, y]) - (base + base.sum(axis=0) * squish)
    steps = np.stack([_step(1, 0, x), _step(0, 1, x), _nearest(inner), _fourth(inner)])  # (4, 2, P)
    offsets = offset - steps - steps.sum(axis=1, keepdims=True) * squish
    attenuation = np.clip(2 - (offsets**2).sum(axis=1, keepdims=True), 0, None) ** POINTS
    return base + steps, attenuation * offsets / constants.NORM_CONSTANT2


def _step(columns: int, rows: int, x: np.ndarray) -> np.ndarray:
    return np.stack([np.full(x.shape, columns), np.full(x.shape, rows)])


def _nearest(inner: np.ndarray) -> np.ndarray:
    """Return the corner of the rhombus on the side of a position: (0, 0), or (1, 1) beyond the diagonal."""
    return np.broadcast_to(inner.sum(axis=0) > 1, inner.shape).astype(np.int64)


def _fourth(inner: np.ndarray) -> np.ndarray:
    """Return the nearest point beyond the triangle of a position."""
    x, y = inner
    beyond = x + y > 1
    apart = np.where(beyond, 2, 1) - (x + y)
    right = np.where(x > y, 1, -1)
    near = np.stack([right, -right])  # (1, -1) or (-1, 1)
    outer = np.stack([1 + right, 1 - right])  # (2, 0) or (0, 2)
    first = np.where((apart > x) | (apart > y), near, 1)
    second = np.where((apart < x) | (apart < y), outer, 0)
    return np.where(beyond, second, first)
