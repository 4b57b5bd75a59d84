"""Volumes to latents and back: padding in 3D, no gradients, sizes."""

from __future__ import annotations

import pytest
import torch

from madad.core.errors import UserError
from madad.models.networks.latent_space import LatentSpace
from tests.methods.latent_stand_ins import Cells


def build(spatial_dims: int = 2, levels: int = 2, **changes: object) -> LatentSpace:
    options = dict(spatial_dims=spatial_dims, levels=levels, slices_per_pass=4, method="m") | changes
    return LatentSpace(Cells(spatial_dims), **options)


@pytest.mark.parametrize(("spatial_dims", "latents"), [(2, (5, 3, 4, 6)), (3, (1, 3, 4, 4, 6))])
def test_there_and_back(spatial_dims: int, latents: tuple[int, ...]) -> None:
    space, volume = build(spatial_dims), torch.full((5, 1, 8, 12), 0.75)  # five slices make eight in 3D
    z = space.encode_volume(volume)
    assert z.shape == latents and z.dtype == torch.float32
    decoded = space.decode_volume(z, 5)
    assert decoded.shape == volume.shape
    assert torch.allclose(decoded[:4], volume[:4])  # the fifth shares its cells with an empty slice in 3D


def test_no_gradient_enters_the_autoencoder() -> None:
    images = torch.rand(2, 1, 8, 8, requires_grad=True)
    assert not build().encode(images).requires_grad


@pytest.mark.parametrize(("levels", "side", "works"), [(1, 9, "8 or 10"), (3, 12, "8 or 16")])
def test_sizes_that_work_are_named(levels: int, side: int, works: str) -> None:
    with pytest.raises(UserError, match=rf"m: slices of {side} x 16 voxels .* here {works}: .* of m or of its autoencoder"):
        build(levels=levels).encode(torch.zeros(1, 1, side, 16))


def test_image_smaller_than_the_reach() -> None:
    with pytest.raises(UserError, match=r"m\.parameters\.channel_multipliers, with its autoencoder's: images of 4 x 16 x 16"):
        build(3, levels=3).encode_volume(torch.zeros(4, 1, 16, 16))


def test_autoencoder_of_another_dimension() -> None:
    with pytest.raises(UserError, match=r"m\.parameters\.spatial_dims: 3, .* spatial_dims: 2"):
        LatentSpace(Cells(2), spatial_dims=3, levels=2, slices_per_pass=4, method="m")
