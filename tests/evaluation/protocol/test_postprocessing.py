from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from madad.core.errors import UserError
from madad.evaluation.metrics.bounding_box import bounding_box
from madad.evaluation.metrics.ordinal_scores import ZERO, to_ordinals, to_scores
from madad.evaluation.protocol.postprocessing import (
    Sizes,
    as_published,
    coded,
    erode,
    median,
    post_process,
    published_sizes,
    remove_small,
    score_inside,
    single_steps,
    sizes_of,
    smoothed,
)


@pytest.mark.parametrize(
    ("voxel_mm", "expected"), [(1, (6, 9, 56)), (2, (3, 5, 7)), (3, (2, 3, 2)), (4, (2, 3, 1)), (8, (1, 3, 1))]
)
def test_published_windows_are_sizes_in_millimetres(voxel_mm: int, expected: tuple) -> None:
    assert published_sizes((voxel_mm,) * 3) == Sizes(*expected)


def test_published_windows_do_not_ask_how_wide_an_image_is() -> None:
    assert published_sizes((3.0, 1.0, 1.0)).erosion == published_sizes((1.0, 1.0, 1.0)).erosion == 6


@pytest.mark.parametrize("nothing", [None, 0])
def test_maps_are_scored_as_they_are_by_default(nothing: int | None) -> None:
    assert sizes_of(dict.fromkeys(("erosion", "median", "min_component"), nothing)) == sizes_of({}) == Sizes(0, 0, 0)


def test_given_sizes_are_voxels() -> None:
    assert sizes_of({"erosion": 1, "median": 3, "min_component": 9}) == Sizes(1, 3, 9)


def test_even_median_is_refused() -> None:
    with pytest.raises(UserError, match=r"evaluation\.median: 4"):
        sizes_of({"median": 4})


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


def lower_median(values: np.ndarray) -> float:
    own = np.sort(values[~np.isnan(values)])
    return own[(own.size - 1) // 2] if own.size else 0


@pytest.mark.parametrize("sizes", [Sizes(2, 3, 1), Sizes(1, 5, 1), Sizes(0, 3, 1), Sizes(2, 0, 1), Sizes(0, 0, 1)])
def test_single_steps_see_only_voxels_that_have_a_score(sizes: Sizes) -> None:
    generator = np.random.default_rng(3)
    brain = ndimage.binary_dilation(generator.random((7, 12, 11)) < 0.02, iterations=3)
    scores = generator.normal(size=brain.shape).astype(np.float16)
    steps, eroded = single_steps(coded(scores, brain), brain, sizes), erode(brain, sizes.erosion)

    def filtered(inside: np.ndarray) -> np.ndarray:
        plain = np.where(inside, scores, np.nan).astype(float)
        side = sizes.median
        return ndimage.generic_filter(plain, lower_median, side, mode="constant", cval=np.nan) if side else plain

    expected = {"none": (brain, scores), "erosion": (eroded, scores), "median": (brain, filtered(brain))}
    expected["chain"] = (eroded, filtered(eroded))
    assert steps.keys() == expected.keys()
    for name, (inside, volume) in expected.items():
        assert np.array_equal(steps[name].inside, inside), name
        assert np.array_equal(to_scores(steps[name].ordinals)[inside], volume[inside]), name


@pytest.mark.parametrize("side", [3, 5])
def test_a_constant_map_stays_constant(side: int) -> None:
    generator = np.random.default_rng(5)
    brain = ndimage.binary_dilation(generator.random((8, 12, 11)) < 0.02, iterations=2)
    for value in (0.7, -3.0):
        found = score_inside(coded(np.full(brain.shape, value), brain), brain, side)
        assert len(np.unique(found[brain])) == 1 and (found[~brain] == ZERO).all()


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


@pytest.mark.parametrize("sizes", [Sizes(1, 3, 1), Sizes(2, 5, 1)])
def test_known_medians_change_nothing(sizes: Sizes) -> None:
    generator = np.random.default_rng(6)
    brain = ndimage.binary_dilation(generator.random((10, 22, 20)) < 0.03, iterations=3)
    ordinals = coded(generator.normal(size=brain.shape), brain)
    known = single_steps(ordinals, brain, sizes)["chain"].ordinals
    assert np.array_equal(as_published(ordinals, brain, sizes, known), as_published(ordinals, brain, sizes))


def test_smoothing_sees_the_brain_of_its_slice_alone() -> None:
    brain = np.zeros((3, 20, 20), dtype=bool)
    brain[1:, 4:16, 4:16] = True
    bright = np.where(brain, 5.0, 80.0)
    assert np.array_equal(to_scores(smoothed(bright, brain, (2.0, 2.0, 2.0), 5.0))[brain], np.ones(brain.sum()))
    point = np.zeros(brain.shape)
    point[1, 10, 10] = 8.0
    scores = to_scores(smoothed(point, brain, (2.0, 2.0, 2.0), 8.0))
    expected = ndimage.gaussian_filter(point[1] / 8, 1.0) / ndimage.gaussian_filter(brain[1].astype(float), 1.0).clip(1e-9)
    assert scores[1][brain[1]] == pytest.approx(expected[brain[1]], abs=1e-3)
    assert not scores[[0, 2]].any()


def test_smoothing_keeps_the_order_of_scores_of_any_scale() -> None:
    brain = np.ones((1, 8, 8), dtype=bool)
    noise = np.random.default_rng(0).random(brain.shape)
    small, large = (smoothed(noise * scale, brain, (2.0, 2.0, 2.0), scale) for scale in (1e-7, 1e7))
    assert np.array_equal(small, large)


def test_an_offset_of_all_scores_changes_no_smoothed_rank() -> None:
    brain = np.ones((1, 8, 8), dtype=bool)
    noise = np.random.default_rng(0).random(brain.shape)
    own, moved = (smoothed(noise + by, brain, (2.0, 2.0, 2.0), 1.0 + by, by) for by in (0.0, 1000.0))
    assert np.abs(to_scores(own) - to_scores(moved)).max() < 1e-3
