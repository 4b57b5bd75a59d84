from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from madad.errors import UserError
from madad.evaluation.postprocessing import Sizes, erode, median, post_process, remove_small, sizes_for
from madad.evaluation.scores import ZERO, to_ordinals, to_scores


@pytest.mark.parametrize(("columns", "expected"), [(192, (7, 5, 56)), (96, (3, 5, 7)), (64, (2, 3, 2)), (48, (1, 3, 1))])
def test_published_sizes_scale_with_the_grid(columns: int, expected: tuple) -> None:
    assert sizes_for(dict.fromkeys(("erosion", "median", "min_component")), columns) == Sizes(*expected)


def test_given_sizes_win() -> None:
    assert sizes_for({"erosion": 0, "median": 0, "min_component": 9}, 96) == Sizes(0, 0, 9)


def test_even_median_is_refused() -> None:
    with pytest.raises(UserError, match=r"evaluation\.median: 4"):
        sizes_for({"median": 4}, 96)


def test_erosion_stays_in_the_slice() -> None:
    eroded = erode(np.ones((1, 5, 5), dtype=bool), 1)
    assert eroded.sum() == 9
    assert not erode(np.ones((2, 5, 5), dtype=bool), 3).any()


def test_no_erosion_keeps_the_brain() -> None:
    brain = np.ones((2, 3, 3), dtype=bool)
    assert erode(brain, 0) is brain


def test_erosion_uses_the_cross() -> None:
    plus = ndimage.generate_binary_structure(2, 1)
    grown = ndimage.binary_dilation(np.pad(np.ones((1, 1), dtype=bool), 3), plus, iterations=2)[None]
    assert erode(grown, 2).sum() == 1


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_median_equals_scipy_everywhere(side: int, share: float) -> None:
    generator = np.random.default_rng(0)
    inside = generator.random((6, 9, 8)) < share
    inside[2] = False  # a slice without brain; its neighbours reach into it
    volume = np.where(inside, generator.integers(0, 65536, inside.shape), ZERO).astype(np.uint16)
    assert np.array_equal(median(volume, inside, side), ndimage.median_filter(volume, side))


def test_scores_are_masked_before_the_median() -> None:
    generator = np.random.default_rng(1)
    scores = generator.random((4, 10, 10)).astype(np.float16)
    brain = np.zeros(scores.shape, dtype=bool)
    brain[:, 1:9, 1:9] = True
    expected = ndimage.median_filter(np.where(erode(brain, 2), scores, 0).astype(np.float32), 3)
    assert np.array_equal(to_scores(post_process(scores, brain, Sizes(2, 3, 1))), expected)


def test_nothing_switched_on_changes_nothing() -> None:
    scores = np.linspace(0, 1, 27, dtype=np.float16).reshape(3, 3, 3)
    brain = np.ones(scores.shape, dtype=bool)
    assert np.array_equal(post_process(scores, brain, Sizes(0, 0, 0)), to_ordinals(scores))


def test_small_components_go_diagonal_neighbours_hold_together() -> None:
    volume = np.zeros((5, 5, 5), dtype=bool)
    volume[0, 0, 0] = volume[1, 1, 1] = True
    volume[4, 4, 4] = True
    kept = remove_small(volume, 2)
    assert kept.sum() == 2
    assert not kept[4, 4, 4]
    assert remove_small(volume, 1) is volume
