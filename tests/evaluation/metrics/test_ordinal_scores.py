from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from madad.evaluation.metrics.ordinal_scores import (
    BINS,
    ZERO,
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
