from __future__ import annotations

import numpy as np
import pytest

from madad.data.corruptions.resolution import blur, slice_operator, thick_slices

GENERATOR = np.random.default_rng(0)


def point(spacing_mm: tuple[float, float, float]) -> np.ndarray:
    image = np.zeros((41, 61, 51))
    image[20, 30, 25] = 1
    return blur(image, np.ones(image.shape, dtype=bool), spacing_mm, 3.0, GENERATOR)


def test_point_spread_has_its_width_in_mm_along_every_axis() -> None:
    spacing = (2.0, 1.0, 1.5)
    spread = point(spacing)
    for axis, (edge, centre) in enumerate(zip(spacing, (20, 30, 25), strict=True)):
        profile = spread.sum(axis=tuple({0, 1, 2} - {axis}))
        distance = (np.arange(len(profile)) - centre) * edge
        assert np.sqrt((profile * distance**2).sum() / profile.sum()) == pytest.approx(3.0, rel=0.02)


@pytest.mark.parametrize("apply", [blur, thick_slices])
def test_what_was_stripped_does_not_bleed_into_the_brain(head, apply) -> None:
    level = np.where(head.brain, 0.6, 0.0)
    found = apply(level, head.brain, head.spacing_mm, 6.0, np.random.default_rng(0))
    np.testing.assert_allclose(found[head.brain], 0.6)


def test_mean_is_kept_where_the_brain_fills_the_image() -> None:
    image = np.random.default_rng(0).uniform(size=(24, 16, 16))
    everywhere = np.ones(image.shape, dtype=bool)
    found = thick_slices(image, everywhere, (2.0, 2.0, 2.0), 6.0, np.random.default_rng(0))
    assert found.mean() == pytest.approx(image.mean(), abs=0.01)
    assert found.std() < image.std()


def test_whole_slices_are_averaged() -> None:
    operator = slice_operator(12, 3.0, 0.0)
    ramp = np.arange(12.0)
    averaged = operator @ ramp
    # the centre of each thick slice lies on a slice of the grid and has its mean
    np.testing.assert_allclose(averaged[1::3], [1, 4, 7, 10])
    # between centres the interpolation is linear, and a ramp stays a ramp
    np.testing.assert_allclose(averaged[1:11], ramp[1:11])


@pytest.mark.parametrize("start", [0.0, 0.3, 0.9])
def test_operator_averages_with_weights_of_one(start: float) -> None:
    operator = slice_operator(17, 3.7, start)
    rows = operator.sum(axis=1)
    assert (operator >= 0).all() and (rows > 0).all() and (rows <= 1 + 1e-12).all()


def test_in_plane_nothing_changes() -> None:
    image = np.broadcast_to(np.random.default_rng(0).uniform(size=(1, 20, 20)), (15, 20, 20)).copy()
    found = thick_slices(image, np.ones(image.shape, dtype=bool), (2.0, 2.0, 2.0), 8.0, np.random.default_rng(0))
    np.testing.assert_allclose(found, image)


def test_slices_no_thicker_than_the_grid_change_nothing(head) -> None:
    assert (thick_slices(head.image, head.brain, (5.0, 2.0, 2.0), 4.0, GENERATOR) == head.image).all()
