from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from madad.evaluation.metrics.ordinal_scores import (
    BINS,
    ZERO,
    ScoreCode,
    Tally,
    coarse_groups,
    count,
    no_counts,
    ordinal_at,
    to_ordinals,
    to_score,
    to_scores,
)

halves = arrays.arrays(np.float16, st.integers(1, 50), elements=st.floats(-60000, 60000, width=16))


@settings(deadline=None, max_examples=50)
@given(halves)
def test_ordinals_keep_the_order_of_scores(scores: np.ndarray) -> None:
    ordinals = to_ordinals(scores).astype(int)
    assert np.array_equal(
        np.sign(np.subtract.outer(ordinals, ordinals)), np.sign(np.subtract.outer(scores.astype(float), scores))
    )


@settings(deadline=None, max_examples=50)
@given(halves)
def test_ordinals_lose_nothing(scores: np.ndarray) -> None:
    assert np.array_equal(to_scores(to_ordinals(scores)), scores.astype(np.float32))


def test_both_zeros_are_one_score() -> None:
    assert len(set(to_ordinals(np.array([0.0, -0.0])))) == 1


def test_threshold_below_all_scores() -> None:
    assert to_score(-1) == -np.inf
    assert to_score(int(to_ordinals(np.array([0.25]))[0])) == 0.25


def test_background_has_the_score_zero() -> None:
    assert to_score(ZERO) == 0


@settings(deadline=None, max_examples=50)
@given(halves, st.floats(0, 60000))
def test_above_its_ordinal_means_above_the_number(scores: np.ndarray, number: float) -> None:
    assert np.array_equal(to_ordinals(scores) > ordinal_at(number), scores.astype(float) > number)


def test_count_separates_tissues() -> None:
    counts = count(to_ordinals(np.array([0.0, 1.0, 1.0])), np.array([False, True, True]))
    assert counts.shape == (2, BINS)
    assert counts.sum(axis=1).tolist() == [1, 2]


def test_coarse_groups_start_at_zero_and_rise() -> None:
    counts = np.zeros((2, BINS), dtype=int)
    counts[1, [5, 50, 500]] = 10
    starts = coarse_groups(counts, 3)
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all()
    assert np.add.reduceat(counts, starts, axis=1).sum() == 30


@settings(deadline=None, max_examples=30)
@given(halves, st.integers(0, 1000))
def test_tally_loses_nothing(scores: np.ndarray, seed: int) -> None:
    reference = np.random.default_rng(seed).random(scores.size) < 0.4
    counts = count(to_ordinals(scores), reference)
    tally, again = Tally.of(counts), no_counts()
    tally.add_to(again)
    assert np.array_equal(again, counts)
    curve = tally.spread(np.arange(tally.occupied.size + 1))
    assert curve.size == BINS + 1
    for threshold in (-1, 0, ZERO, *tally.occupied[:3].tolist(), BINS - 1):
        assert curve[threshold + 1] == np.count_nonzero(tally.occupied <= threshold)
    assert [tally.ordinal(entry) for entry in range(tally.occupied.size + 1)] == [-1, *tally.occupied.tolist()]


@pytest.mark.parametrize("levels", [[0.0], [-1e30, -1e-40, 0.0, 1e-45, 1e-40, 0.5, 1e30], None], ids=["zero", "extremes", "many"])
def test_a_score_is_found_where_a_search_of_the_whole_list_finds_it(levels: list[float] | None) -> None:
    generator = np.random.default_rng(0)
    made = generator.standard_normal(30_000) * 10.0 ** generator.integers(-3, 3, 30_000)
    listed = np.unique(np.append(0, made if levels is None else levels).astype(np.float32))
    code = ScoreCode(listed)
    others = generator.standard_normal(50_000).astype(np.float32) * np.float32(10) ** generator.integers(-38, 38, 50_000)
    around = [np.nextafter(listed, np.float32(towards)) for towards in (-np.inf, np.inf)]
    scores = np.concatenate([listed, *around, others, np.float32([-0.0, np.finfo(np.float32).max, np.finfo(np.float32).min])])
    expected = np.minimum(np.searchsorted(listed, scores), listed.size - 1) + code.first
    assert np.array_equal(to_ordinals(scores, code), expected)
