"""What the tests of the fluid share."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from madad.data.anomalies.velocity import Box, Flow, draw_flow

LESION_CENTRE = 0.48


def flow(grid: tuple[int, ...], *seeds: int, **scale: float) -> Flow:
    return draw_flow(len(grid), [np.random.default_rng(seed) for seed in seeds or (0,)], **scale)


def whole(grid: tuple[int, ...], batch: int = 1) -> Box:
    return Box(grid, torch.zeros(batch, len(grid), dtype=torch.long), grid)


def ball(grid: tuple[int, ...], radius: float, centre: tuple[float, ...] | None = None) -> torch.Tensor:
    middle = centre or tuple(LESION_CENTRE * n for n in grid)
    axes = torch.meshgrid(*[torch.arange(n, dtype=torch.float32) - c for n, c in zip(grid, middle, strict=True)], indexing="ij")
    return (sum(axis**2 for axis in axes) <= radius**2).float()[None]


def depth_of(inside: torch.Tensor) -> torch.Tensor:
    padded = np.pad(inside[0].numpy() > 0, 1)
    distance = ndimage.distance_transform_edt(padded)[(slice(1, -1),) * (inside.ndim - 1)]
    return torch.from_numpy(distance.astype(np.float32))[None]


def centroid(maps: torch.Tensor) -> np.ndarray:
    return np.array(ndimage.center_of_mass(maps.numpy()))
