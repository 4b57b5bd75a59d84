"""Volumes as images and back, portions, and images that are too small."""

from __future__ import annotations

import pytest
import torch

from madad.core.errors import UserError
from madad.models.networks.tensor_layout import as_images, as_volume, check_reach, in_passes


@pytest.mark.parametrize(("spatial_dims", "shape"), [(2, (5, 1, 8, 6)), (3, (1, 1, 5, 8, 6))])
def test_there_and_back(spatial_dims: int, shape: tuple[int, ...]) -> None:
    volume = torch.randn(5, 1, 8, 6)
    images = as_images(volume, spatial_dims)
    assert images.shape == shape
    assert torch.equal(as_volume(images, spatial_dims), volume)


@pytest.mark.parametrize("size", [1, 2, 9])
def test_portions_do_not_change_the_result(size: int) -> None:
    x, t, seen = torch.randn(5, 2), torch.arange(5), []

    def network(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return x * t[:, None]

    assert torch.equal(in_passes(network, size, x, t), x * t[:, None])
    assert max(seen) == min(size, 5)


def test_image_smaller_than_the_reach() -> None:
    check_reach(torch.zeros(1, 1, 4, 8, 8), 4, "m.parameters.levels")
    with pytest.raises(
        UserError, match=r"m\.parameters\.levels: images of 3 x 8 x 8 voxels .* 4 voxels per side; take fewer levels"
    ):
        check_reach(torch.zeros(1, 1, 3, 8, 8), 4, "m.parameters.levels")
