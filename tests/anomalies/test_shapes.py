from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from madad.anomalies.shapes import distance_field, draw_shape, soft_lesion

GRID = (20, 24, 22)
SPACING = (3.0, 3.0, 3.0)


def field(seed: int, radius_mm: float = 12.0) -> np.ndarray:
    shape = draw_shape(np.random.default_rng(seed))
    return distance_field(shape, GRID, SPACING, np.array([10, 12, 11]), radius_mm)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), voxels=st.integers(1, 400))
def test_lesion_has_exactly_the_wanted_voxels(seed: int, voxels: int) -> None:
    share = soft_lesion(field(seed), np.ones(GRID, dtype=bool), voxels, rim_mm=4.0)
    assert (share >= 0.5).sum() == voxels


def test_lesion_stays_inside() -> None:
    inside = np.zeros(GRID, dtype=bool)
    inside[:, :12] = True
    share = soft_lesion(field(1), inside, 300, rim_mm=4.0)
    assert share[~inside].max() == 0 and (share >= 0.5).sum() == 300


def test_lesion_larger_than_the_room_takes_all_of_it() -> None:
    inside = np.zeros(GRID, dtype=bool)
    inside[8:10, 8:10, 8:10] = True
    assert (soft_lesion(field(1), inside, 500, 4.0) >= 0.5).sum() == 8


def test_no_room_gives_no_lesion() -> None:
    assert soft_lesion(field(1), np.zeros(GRID, dtype=bool), 10, 4.0).max() == 0


@pytest.mark.parametrize("seed", range(4))
def test_lesion_is_nearly_one_piece(seed: int) -> None:
    lesion = soft_lesion(field(seed), np.ones(GRID, dtype=bool), 270, 4.0) >= 0.5
    labels, _ = ndimage.label(lesion, np.ones((3, 3, 3)))
    assert np.bincount(labels.ravel())[1:].max() >= 0.9 * lesion.sum()


def test_shapes_differ_and_repeat() -> None:
    assert np.array_equal(field(3), field(3))
    assert not np.allclose(field(3), field(4))
