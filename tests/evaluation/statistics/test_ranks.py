from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from madad.evaluation.statistics.ranks import cliques, friedman, order_changes, rank_probabilities, rank_range, ranks

GENERATOR = np.random.default_rng


def test_friedman_is_that_of_scipy() -> None:
    values = np.round(GENERATOR(1).random((12, 5)), 1)
    assert friedman(ranks(values, 1)) == pytest.approx(stats.friedmanchisquare(*values.T).pvalue)


@pytest.mark.parametrize(("shape", "expected"), [((1, 3), np.nan), ((5, 1), np.nan), ((5, 3), 1.0), ((0, 3), np.nan)])
def test_friedman_declares_what_it_cannot_say(shape: tuple[int, int], expected: float) -> None:
    assert friedman(ranks(np.ones(shape), 1)) == pytest.approx(expected, nan_ok=True)


def test_ranks_begin_with_the_best() -> None:
    values = np.array([[0.1, 0.3, 0.3, 0.2]])
    assert ranks(values, 1).tolist() == [[4, 1.5, 1.5, 3]]
    assert ranks(values, -1).tolist() == [[1, 3.5, 3.5, 2]]


def test_rank_probabilities_are_shares_of_resamples() -> None:
    resampled = np.array([[3.0, 2, 1], [3, 1, 2], [3, 3, 1], [1, 2, 3]])
    found = rank_probabilities(resampled, 1)
    assert found.sum(axis=0) == pytest.approx([1, 1, 1])
    assert found.sum(axis=1) == pytest.approx([1, 1, 1])
    assert found[0] == pytest.approx([2.5 / 4, 0.5 / 4, 1 / 4])
    assert rank_probabilities(-resampled, -1) == pytest.approx(found)


def test_range_of_ranks_holds_ties_whole() -> None:
    resampled = np.tile([[3.0, 3, 1]], (50, 1))
    assert rank_range(resampled, 1).tolist() == [[1, 1, 3], [2, 2, 3]]


def test_cliques_are_all_groups_without_a_difference_that_no_other_holds() -> None:
    generator = GENERATOR(0)
    for _ in range(20):
        alike = np.triu(generator.random((7, 7)) < 0.6, 1)
        alike |= alike.T
        groups = [set(group) for size in range(2, 8) for group in itertools.combinations(range(7), size)]
        whole = [group for group in groups if all(alike[pair] for pair in itertools.combinations(sorted(group), 2))]
        largest = [group for group in whole if not any(group < other for other in whole)]
        assert cliques(alike) == sorted(tuple(sorted(group)) for group in largest)


def test_many_methods_that_no_test_tells_apart_are_found_at_once() -> None:
    """A search that tries all of their groups would never end."""
    assert cliques(np.ones((60, 60), dtype=bool)) == [tuple(range(60))]


def test_all_alike_are_one_clique_and_all_different_none() -> None:
    assert cliques(np.ones((4, 4), dtype=bool)) == [(0, 1, 2, 3)]
    assert cliques(np.zeros((4, 4), dtype=bool)) == []


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ([1, 2, 3, 4], (0, 6)),
        ([4, 3, 2, 1], (6, 6)),
        ([1, 3, 2, 4], (1, 6)),
        ([1.5, 1.5, 4, 3], (1, 5)),
        ([2, 1, np.nan, 4], (1, 3)),
        ([2, 2, 2, 2], (0, 0)),
    ],
)
def test_order_changes_are_discordant_pairs(second: list[float], expected: tuple[int, int]) -> None:
    assert order_changes(np.array([1.0, 2, 3, 4]), np.array(second, dtype=float)) == expected


def test_order_changes_follow_kendalls_tau() -> None:
    first, second = GENERATOR(0).random((2, 12))
    changed, pairs = order_changes(first, second)
    assert stats.kendalltau(first, second).statistic == pytest.approx(1 - 2 * changed / pairs)
