"""Volumes as input of networks: slice by slice in 2D, whole in 3D, in batches of limited size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from madad.core.errors import UserError


def as_images(volume: Tensor, spatial_dims: int) -> Tensor:
    """Return a volume (S, C, H, W) as a batch: its slices, (S, C, H, W), in 2D, or the volume, (1, C, S, H, W), in 3D."""
    return volume if spatial_dims == 2 else volume.transpose(0, 1).unsqueeze(0)


def as_volume(images: Tensor, spatial_dims: int) -> Tensor:
    """Invert `as_images`."""
    return images if spatial_dims == 2 else images.squeeze(0).transpose(0, 1)


def in_passes(network: Callable[..., Tensor], size: int, *tensors: Tensor) -> Tensor:
    """Run a network on at most `size` images at a time; this affects memory, not the result."""
    return torch.cat([network(*parts) for parts in zip(*(tensor.split(size) for tensor in tensors), strict=True)])


def check_reach(images: Tensor, reach: int, where: str) -> None:
    """Refuse images (B, C, …) that are smaller than the cell of one of a network's coarsest features.

    Args:
        images: about to enter the network.
        reach: voxels per side of that cell.
        where: the setting that holds the network's levels.

    Raises:
        UserError: a side is shorter.
    """
    sides = images.shape[2:]
    if min(sides) < reach:
        raise UserError(
            f"{where}: images of {' x '.join(map(str, sides))} voxels are smaller than the network's reach of {reach} voxels "
            "per side; take fewer levels, or a smaller spacing_mm for the pipeline"
        )
