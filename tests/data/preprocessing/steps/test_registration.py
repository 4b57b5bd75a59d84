from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madad.core.errors import SubjectError
from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import mutual_information, registration
from madad.data.template import template_on_grid
from tests.data.preprocessing.conftest import SyntheticHead

GRID = Volume(np.zeros((30, 30, 30), dtype=np.float32), np.diag([2.0, 2, 2, 1]))


def corners_mm(first: np.ndarray, second: np.ndarray) -> float:
    points = np.array([[x, y, z, 1] for x in (-50, 50) for y in (-70, 50) for z in (-30, 50)], dtype=float).T
    return float(np.linalg.norm((first @ points - second @ points)[:3], axis=0).max())


def test_register_recovers_the_pose(head: SyntheticHead) -> None:
    found = registration.register(head.stripped, template_on_grid(4.0))
    assert corners_mm(found, head.pose) < 3


def test_register_repeats_itself_bit_for_bit(head: SyntheticHead) -> None:
    first, second = (registration.register(head.stripped, template_on_grid(4.0), "rigid") for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_rigid_keeps_lengths(head: SyntheticHead) -> None:
    rotation = registration.register(head.stripped, template_on_grid(4.0), "rigid")[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-4)


def test_check_refuses_a_collapse() -> None:
    with pytest.raises(SubjectError, match="scales the brain's volume by 8"):
        registration.check(np.diag([0.5, 0.5, 0.5, 1.0]))


def test_carry_image_onto_its_own_grid_changes_nothing() -> None:
    array = np.random.default_rng(0).uniform(size=GRID.array.shape).astype(np.float32)
    np.testing.assert_allclose(registration.carry_image(GRID.with_array(array), np.eye(4), GRID), array, atol=1e-5)


def test_carry_image_moves_by_the_matrix() -> None:
    array = np.zeros(GRID.array.shape, dtype=np.float32)
    array[10, 12, 14] = 1
    shift = np.eye(4)
    shift[:3, 3] = (4, 0, -2)
    carried = registration.carry_image(GRID.with_array(array), shift, GRID)
    assert np.unravel_index(carried.argmax(), carried.shape) == (8, 12, 15)


def test_carry_image_stays_within_the_range() -> None:
    array = (np.random.default_rng(0).uniform(size=GRID.array.shape) > 0.5).astype(np.float32)
    shift = np.eye(4)
    shift[:3, 3] = 0.9
    carried = registration.carry_image(GRID.with_array(array), shift, GRID)
    assert carried.min() >= 0 and carried.max() <= 1


def test_carry_label_moves_like_the_image_and_stays_binary() -> None:
    label = np.zeros(GRID.array.shape, dtype=np.uint8)
    label[8:14, 8:14, 8:14] = 1
    shift = np.eye(4)
    shift[:3, 3] = (4, 0, -2)
    carried = registration.carry_label(GRID.with_array(label), shift, GRID)
    np.testing.assert_array_equal(carried, np.roll(label, (-2, 0, 1), axis=(0, 1, 2)))
    shift[:3, 3] = (0.7, 0.3, 0.9)
    assert set(np.unique(registration.carry_label(GRID.with_array(label), shift, GRID))) == {0, 1}


@settings(max_examples=10, deadline=None)
@given(scale=st.floats(0.1, 10), shift=st.floats(-5, 5))
def test_mutual_information_ignores_linear_changes(scale: float, shift: float) -> None:
    array = np.random.default_rng(0).normal(size=(12, 12, 12))
    everywhere = np.ones(array.shape, dtype=bool)
    assert mutual_information.normalised_mutual_information(array, scale * array + shift, everywhere) > 1.95


def test_mutual_information_of_independent_images_is_near_one() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 40, 40, 40))
    assert mutual_information.normalised_mutual_information(first, second, np.ones(first.shape, dtype=bool)) < 1.01
