"""Simplex noise on the device that computes equals that of the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madad.core import draws
from madad.core.seeds import torch_generator
from madad.models.diffusion import noise, simplex


@pytest.mark.parametrize(("height", "width", "octaves"), [(96, 96, 6), (33, 48, 2), (64, 80, 6)])
def test_fields_are_those_of_the_cpu(height: int, width: int, octaves: int) -> None:
    seeds, wavelength = [0, 7, 2**61 + 5], noise.largest_wavelength(height, width)
    found = simplex.fields(seeds, height, width, wavelength, octaves, 0.8, torch.device("cpu"))
    expected = np.stack([noise._fractal(seed, height, width, wavelength, octaves, 0.8) for seed in seeds])
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("kind", noise.KINDS)
def test_every_law_can_be_drawn_elsewhere(kind: str) -> None:
    shape, options = (2, 1, 32, 48), {"octaves": 3, "persistence": 0.8, "scale": 2.0}
    with draws.on_device():
        field = noise.draw(kind, shape, torch_generator("a"), **options, device=torch.device("meta"))
    assert field.shape == shape and field.device.type == "meta" and field.dtype == torch.float32
