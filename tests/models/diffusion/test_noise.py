"""Laws of noise: statistics, reproducibility, and simplex noise equal to the library's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from opensimplex import OpenSimplex

from madad.models.diffusion import noise


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(kind: str, shape: tuple[int, int, int, int], seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    return noise.draw(kind, shape, generator(seed), octaves=6, persistence=0.8, scale=scale)


def test_simplex_equals_the_library() -> None:
    seed = torch.randint(2**62, (1,), generator=generator()).item()
    source = OpenSimplex(seed)
    field = noise.simplex((1, 1, 96, 96), generator(), octaves=6, persistence=0.8)[0, 0]
    for row, column in [(0, 0), (5, 7), (50, 95), (95, 31)]:
        expected = sum(0.8**k * source.noise2(column / (64 / 2**k), row / (64 / 2**k)) for k in range(6))
        assert field[row, column].item() == pytest.approx(expected, abs=1e-6)


def test_simplex_has_the_published_statistics() -> None:
    fields = noise.simplex((100, 1, 96, 96), generator())
    assert fields.std().item() == pytest.approx(0.585, abs=0.03)
    assert abs(fields.mean().item()) < 0.08
    assert (fields[:, 0, 0, 0] == 0).all()
    neighbours = np.corrcoef(fields[..., :-1].flatten(), fields[..., 1:].flatten())[0, 1]
    assert neighbours == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("side", "wavelength"), [(96, 64), (64, 32), (48, 32), (32, 16), (192, 128), (2, 2)])
def test_wavelength_follows_the_image(side: int, wavelength: int) -> None:
    assert noise.largest_wavelength(side, side) == wavelength


def test_octaves_stop_at_two_voxels() -> None:
    six, many = (noise.simplex((1, 1, 96, 96), generator(), octaves=octaves) for octaves in (6, 12))
    assert torch.equal(six, many)


@pytest.mark.parametrize("kind", noise.KINDS)
def test_same_generator_same_field(kind: str) -> None:
    first, second, other = draw(kind, (2, 1, 32, 48)), draw(kind, (2, 1, 32, 48)), draw(kind, (2, 1, 32, 48), seed=1)
    assert first.shape == (2, 1, 32, 48) and first.dtype == torch.float32
    assert torch.equal(first, second) and not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("kind", noise.KINDS)
def test_noise_leaves_the_global_state_alone(kind: str) -> None:
    before = torch.get_rng_state()
    draw(kind, (1, 1, 16, 16))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("kind", noise.KINDS)
def test_scale_is_a_factor(kind: str) -> None:
    assert torch.allclose(draw(kind, (1, 1, 16, 16), scale=0.5), draw(kind, (1, 1, 16, 16)) * 0.5)


def test_coarse_noise_is_coarser_than_gaussian() -> None:
    def roughness(field: torch.Tensor) -> float:
        return ((field[..., 1:] - field[..., :-1]).std() / field.std()).item()

    assert roughness(draw("coarse", (8, 1, 64, 64))) < 0.3 < roughness(draw("gaussian", (8, 1, 64, 64)))


def test_pyramid_noise_has_unit_variance() -> None:
    assert draw("pyramid", (4, 1, 64, 64)).std().item() == pytest.approx(1)


def test_unknown_noise() -> None:
    with pytest.raises(ValueError, match="perlin"):
        draw("perlin", (1, 1, 8, 8))


@pytest.mark.parametrize("shared", [True, False])
def test_law_gives_one_field_for_all_images_or_one_each(shared: bool) -> None:
    law = noise.NoiseLaw("simplex", shared, octaves=6, persistence=0.8, scale=0.5)
    field = law(torch.zeros(3, 1, 16, 24, dtype=torch.float64), generator())
    assert field.shape == (3, 1, 16, 24) and field.dtype == torch.float64
    assert torch.equal(field[0], field[2]) is shared
    assert torch.equal(field[:1] if shared else field, draw("simplex", (1 if shared else 3, 1, 16, 24), scale=0.5).double())


@pytest.mark.parametrize("kind", ["coarse", "simplex", "pyramid"])
def test_higher_resolution_is_rougher(kind: str) -> None:
    def roughness(resolution: int | None) -> float:
        field = noise.draw(kind, (16, 1, 64, 48), generator(), octaves=6, persistence=0.8, scale=1.0, resolution=resolution)
        return ((field[..., 1:] - field[..., :-1]).std() / field.std()).item()

    assert roughness(2) < roughness(8) < roughness(32)


def test_grid_of_coarse_noise_has_the_shape_of_the_image() -> None:
    """One point a voxel is Gaussian noise; the grid is never finer than the image."""
    field, finer = (noise.coarse((200, 1, 24, 12), generator(), resolution) for resolution in (24, 100))
    assert torch.equal(field, finer)
    assert abs((field[..., 1:] * field[..., :-1]).mean()) < 0.02 and field.std().item() == pytest.approx(1, abs=0.02)
    assert noise.coarse((1, 1, 24, 12), generator(), 1).std() < 1e-6
