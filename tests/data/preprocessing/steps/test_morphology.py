from __future__ import annotations

import numpy as np
import pytest

from madad.data.preprocessing.steps import morphology


@pytest.fixture
def ball() -> np.ndarray:
    i, j, k = np.indices((40, 40, 40)) - 20
    return i**2 + j**2 + k**2 <= 12**2


def test_largest_keeps_one_piece(ball: np.ndarray) -> None:
    both = ball.copy()
    both[0, 0, 0] = True
    np.testing.assert_array_equal(morphology.largest(both), ball)


def test_largest_of_nothing_is_nothing() -> None:
    assert not morphology.largest(np.zeros((3, 3, 3), dtype=bool)).any()


def test_clean_fills_holes(ball: np.ndarray) -> None:
    holed = ball.copy()
    holed[20, 20, 20] = False
    np.testing.assert_array_equal(morphology.clean(holed), ball)


def test_opened_cuts_a_stalk(ball: np.ndarray) -> None:
    stalked = ball.copy()
    stalked[20, 20, 30:40] = True
    opened = morphology.opened(stalked, 2)
    assert not opened[20, 20, 36:].any()
    assert opened.sum() > 0.95 * ball.sum()


def test_closed_fills_a_cleft_and_keeps_what_touches_the_edge(ball: np.ndarray) -> None:
    cleft = ball.copy()
    cleft[20, :, 24:] = False
    assert morphology.closed(cleft, 2)[20, 20, 26]
    assert morphology.closed(np.ones((6, 6, 6), dtype=bool), 2).all()


def test_peeled_takes_dark_rim_but_no_dark_core(ball: np.ndarray) -> None:
    i, j, k = np.indices(ball.shape) - 20
    radius = np.sqrt(i**2 + j**2 + k**2)
    array = np.where((radius > 10) | (radius < 3), 1.0, 100.0)
    peeled = morphology.peeled(ball, array, 0.3, 3)
    assert peeled[20, 20, 20]
    assert not peeled[radius > 11].any()
    assert peeled[radius < 9.5].all()
