from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import denoising

# SimpleITK 2.5.7, CurvatureFlow(image, 0.125, 3), second plane of the polynomial in `curved`.
SIMPLE_ITK = [
    [18.49794171, 22.32772637, 31.70241549, 43.41697903],
    [23.40244063, 28.72882238, 40.15789814, 54.14811168],
    [31.97938447, 38.6800973, 52.25080674, 67.99920111],
    [36.81985513, 45.01567138, 60.2184591, 76.7108476],
]


def grid(shape: tuple[int, int, int], spacing_mm: float = 1.0) -> Volume:
    return Volume(np.zeros(shape, dtype=np.float32), np.diag([spacing_mm] * 3 + [1.0]))


def curved() -> Volume:
    i, j, k = np.meshgrid(*[np.arange(4)] * 3, indexing="ij")
    return grid((4, 4, 4)).with_array(7 * i * i + 3 * j * k + 5 * i * j + k**3 + 11 * ((i + 2 * j + 3 * k) % 3))


def test_curvature_flow_is_that_of_itk() -> None:
    np.testing.assert_allclose(denoising.curvature_flow(curved()).array[1], SIMPLE_ITK, atol=1e-4)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.5)])
def test_curvature_flow_is_that_of_an_itk_at_hand(spacing_mm: tuple[float, float, float]) -> None:
    itk = pytest.importorskip("SimpleITK")
    array = np.random.default_rng(0).normal(100, 20, (12, 10, 9)).astype(np.float32)
    image = itk.GetImageFromArray(array.T)
    image.SetSpacing(spacing_mm)
    found = denoising.curvature_flow(Volume(array, np.diag([*spacing_mm, 1.0]))).array
    np.testing.assert_allclose(found, itk.GetArrayFromImage(itk.CurvatureFlow(image, 0.125, 3)).T, atol=1e-3)


@pytest.mark.parametrize("spacing_mm", [1.0, 0.5])
def test_noise_goes_also_on_fine_grids(spacing_mm: float) -> None:
    noise = np.random.default_rng(0).normal(0, 5, (30, 30, 30))
    found = denoising.curvature_flow(grid(noise.shape, spacing_mm).with_array(noise)).array
    assert found.std() < 0.7 * noise.std()
    assert np.abs(found).max() <= np.abs(noise).max()


def test_what_is_flat_or_straight_stays() -> None:
    flat = grid((6, 6, 6)).with_array(np.full((6, 6, 6), 7.0))
    ramp = grid((6, 6, 6)).with_array(np.broadcast_to(3.0 * np.arange(6), (6, 6, 6)))
    for volume in (flat, ramp):
        np.testing.assert_allclose(denoising.curvature_flow(volume).array, volume.array, atol=1e-5)


def test_edges_stay_sharper_than_under_a_gaussian_that_takes_as_much_noise() -> None:
    edge = np.where(np.arange(40) < 20, 0.0, 100.0)[:, None, None] * np.ones((40, 40, 40))
    noisy = edge + np.random.default_rng(0).normal(0, 5, edge.shape)
    found = denoising.curvature_flow(grid(edge.shape).with_array(noisy)).array
    plain = (slice(5, 15), slice(5, -5), slice(5, -5))
    sigma = next(s for s in np.arange(0.2, 3, 0.01) if ndimage.gaussian_filter(noisy, s)[plain].std() <= found[plain].std())
    blurred = ndimage.gaussian_filter(noisy, sigma)
    steps = [float(np.diff(one[19:21, 5:-5, 5:-5], axis=0).mean()) for one in (found, blurred)]
    assert found[plain].std() < 3.5
    assert steps[0] > 95 and steps[0] > steps[1] + 10


def test_a_finer_grid_fills_the_same_field_of_view() -> None:
    coarse = Volume(np.zeros((4, 5, 6), dtype=np.float32), np.diag([2.0, 2, 2, 1]) + np.outer([3.0, -4, 5, 0], [0, 0, 0, 1]))
    fine = denoising.refined(coarse, 2)
    assert fine.array.shape == (8, 10, 12) and fine.spacing_mm == (1, 1, 1)
    corners = [one.affine @ np.append(np.subtract(at, 0.5), 1) for one, at in ((coarse, (4, 5, 6)), (fine, (8, 10, 12)))]
    np.testing.assert_allclose(*corners)
    np.testing.assert_allclose(fine.affine @ [-0.5, -0.5, -0.5, 1], coarse.affine @ [-0.5, -0.5, -0.5, 1])


def test_halving_samples_between_the_voxels() -> None:
    i, j, k = np.meshgrid(*[np.arange(12.0)] * 3, indexing="ij")
    plane = (2 * i - j + 3 * k).astype(np.float32)
    halved = denoising.coarsened(plane, 2)
    means = plane.reshape(6, 2, 6, 2, 6, 2).mean(axis=(1, 3, 5))
    assert halved.shape == (6, 6, 6)
    np.testing.assert_allclose(halved[1:-1, 1:-1, 1:-1], means[1:-1, 1:-1, 1:-1], atol=0.2)
    step = np.where(i < 6, 0, 1).astype(np.float32)
    assert denoising.coarsened(step, 2).min() == 0 and denoising.coarsened(step, 2).max() == 1


def test_denoised_carries_once_to_the_grid_that_the_options_name() -> None:
    target, seen = grid((6, 6, 6), 2.0), []

    def carry(on: Volume) -> np.ndarray:
        seen.append(on.spacing_mm[0])
        return np.random.default_rng(0).normal(50, 5, on.array.shape).astype(np.float32)

    options = {"spacing_mm": 2.0, "denoise": "none", "denoise_at_mm": 1.0}
    assert np.array_equal(denoising.denoised(carry, target, options), carry(target))
    same = denoising.denoised(carry, target, {**options, "denoise": "curvature_flow", "denoise_at_mm": None})
    np.testing.assert_array_equal(same, denoising.curvature_flow(target.with_array(carry(target))).array)
    halved = denoising.denoised(carry, target, {**options, "denoise": "curvature_flow"})
    assert halved.shape == (6, 6, 6) and halved.dtype == np.float32 and halved.std() < 3
    assert seen == [2, 2, 2, 2, 1]
