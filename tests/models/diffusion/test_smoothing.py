"""Smoothing of maps against SciPy, border included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from madad.models.diffusion.smoothing import gaussian_blur


@pytest.mark.parametrize("sigma", [0.0, 0.1, 0.5, 1.0, 2.5, 5.0])
@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 2)])
def test_is_scipys_filter_also_where_the_kernel_is_wider_than_the_image(sigma: float, axes: tuple[int, ...]) -> None:
    volume = np.random.default_rng(0).random((7, 12, 9))
    expected = ndimage.gaussian_filter(volume, sigma, axes=axes)
    assert np.allclose(gaussian_blur(torch.from_numpy(volume), sigma, axes).numpy(), expected, atol=1e-12)


def test_keeps_the_type_and_the_mean_of_a_map() -> None:
    volume = torch.rand(3, 16, 16)
    blurred = gaussian_blur(volume, 2.0, axes=(1, 2))
    assert blurred.dtype == torch.float32 and torch.allclose(blurred.mean((1, 2)), volume.mean((1, 2)), atol=1e-6)
