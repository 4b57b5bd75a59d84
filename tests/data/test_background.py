"""Images whose background is below 0, or whose brain is around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madad.core.io.volumes import Volume
from madad.data import background

INSIDE = np.zeros((12, 14, 10), dtype=bool)
INSIDE[3:9, 3:11, 2:8] = True


def stripped(seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(100, 1000, INSIDE.shape)
    return np.where(INSIDE, values, 0).astype(np.float32)


def zscored(outside: float) -> np.ndarray:
    brain = stripped()[INSIDE]
    scores = (stripped() - brain.mean()) / brain.std()
    return np.where(INSIDE, scores, outside).astype(np.float32)


def volume(array: np.ndarray) -> Volume:
    return Volume(array.astype(np.float32), np.eye(4))


def test_an_image_from_zero_up_is_left_as_it_is() -> None:
    image = volume(stripped())
    assert background.from_zero(image) is image


@pytest.mark.parametrize("outside", [-3.6, 0.0, -1.0])
def test_a_standard_score_keeps_its_order_above_a_background_of_zero(outside: float) -> None:
    found = background.from_zero(volume(zscored(outside))).array
    assert (found[~INSIDE] == 0).all() and found[INSIDE].min() > 0
    np.testing.assert_array_equal(np.argsort(found[INSIDE]), np.argsort(zscored(outside)[INSIDE]))
    differences = np.diff(found[INSIDE]), np.diff(zscored(outside)[INSIDE])
    np.testing.assert_allclose(*differences, atol=1e-5)


def test_ringing_is_cut_off() -> None:
    array = stripped()
    array[2, 2, 2] = -15
    found = background.from_zero(volume(array)).array
    np.testing.assert_array_equal(found, np.maximum(array, 0))


def test_the_air_of_a_standardised_head_is_the_background() -> None:
    noise = np.random.default_rng(3).normal(-0.9, 0.01, INSIDE.shape)
    found = background.from_zero(volume(np.where(INSIDE, zscored(0) + 3, noise))).array
    assert 0 <= np.median(found[~INSIDE]) < 0.02 and found[INSIDE].min() > 1


def test_the_background_of_a_slice_is_that_of_its_edges() -> None:
    array = zscored(-3.6)[:, :, 4:5]
    assert background.level(volume(array)) == pytest.approx(-3.6)
    np.testing.assert_array_equal(background.differs(volume(array), background.level(volume(array))), INSIDE[:, :, 4:5])


@settings(max_examples=50, deadline=None)
@given(st.floats(-50, 50), st.floats(0.01, 100), st.integers(0, 5))
def test_no_shift_and_no_scale_makes_a_value_negative(shift: float, scale: float, seed: int) -> None:
    found = background.from_zero(volume(stripped(seed) * scale + shift)).array
    assert found.min() >= 0 and np.isfinite(found).all()
