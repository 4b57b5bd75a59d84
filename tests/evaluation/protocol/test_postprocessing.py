from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from madad.core.errors import UserError
from madad.evaluation.metrics.bounding_box import bounding_box
from madad.evaluation.metrics.ordinal_scores import ZERO, to_ordinals, to_scores
from madad.evaluation.protocol.postprocessing import (
    Sizes,
    erode,
    median,
    post_process,
    remove_small,
    single_steps,
    sizes_for,
)


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


@pytest.mark.parametrize("min_component", [2, 3, 6])
def test_removal_equals_scipy(min_component: int) -> None:
    volume = np.random.default_rng(2).random((8, 9, 10)) < 0.12
    labels, _ = ndimage.label(volume, np.ones((3, 3, 3)))
    expected = (np.bincount(labels.ravel()) >= min_component)[labels] & volume
    assert np.array_equal(remove_small(volume, min_component), expected)
    assert np.array_equal(remove_small(np.asfortranarray(volume), min_component), expected)


@pytest.mark.parametrize("sizes", [Sizes(2, 3, 1), Sizes(1, 5, 1), Sizes(0, 3, 1), Sizes(2, 0, 1), Sizes(0, 0, 1)])
def test_single_steps_equal_scipy(sizes: Sizes) -> None:
    generator = np.random.default_rng(3)
    brain = ndimage.binary_dilation(generator.random((9, 16, 15)) < 0.02, iterations=3)
    scores = generator.normal(size=brain.shape).astype(np.float16)
    steps = single_steps(scores, brain, sizes, post_process(scores, brain, sizes))
    plain = np.where(brain, scores, 0).astype(np.float32)
    expected = {"none": plain, "erosion": np.where(erode(brain, sizes.erosion), plain, 0)}
    expected["median"] = ndimage.median_filter(plain, sizes.median) if sizes.median else plain
    assert steps.keys() == expected.keys()
    for name, volume in expected.items():
        assert np.array_equal(to_scores(steps[name]), volume), name


def test_scores_of_a_box_are_those_of_the_volume() -> None:
    generator = np.random.default_rng(4)
    brain = np.zeros((9, 20, 18), dtype=bool)
    brain[2:9, 5:15, 4:11] = generator.random((7, 10, 7)) < 0.9
    scores = generator.random(brain.shape).astype(np.float16)
    room, sizes = bounding_box(brain, 2), Sizes(1, 5, 1)
    assert np.array_equal(post_process(scores[room], brain[room], sizes), post_process(scores, brain, sizes)[room])


def test_empty_brain_has_the_score_zero_everywhere() -> None:
    nothing = np.zeros((3, 4, 5), dtype=bool)
    assert (post_process(np.ones(nothing.shape), nothing, Sizes(1, 3, 1)) == ZERO).all()
