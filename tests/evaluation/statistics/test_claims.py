"""The probability that a lead is chance, by the formula of arXiv 2505.04720."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from madad.evaluation.statistics.claims import chance_of_lead, congruence
from madad.evaluation.statistics.pairwise_tests import compare_all

GENERATOR = np.random.default_rng


def two(seed: int, subjects: int, lead: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    generator = GENERATOR(seed)
    easy = generator.normal(0.5, 0.15, subjects)
    return easy + lead + generator.normal(0, 0.05, subjects), easy + generator.normal(0, 0.05, subjects)


def test_summary_numbers_give_what_the_subjects_give() -> None:
    first, second = two(0, 30)
    spreads = (first.std(ddof=1), second.std(ddof=1))
    found = chance_of_lead(first.mean() - second.mean(), spreads, congruence(first, second), 30)
    assert found == pytest.approx(stats.ttest_rel(first, second, alternative="greater").pvalue)


def test_own_pairs_carry_it() -> None:
    first, second = two(1, 30)
    [found] = compare_all([first[None], second[None]], [False, False])
    assert found.congruence == pytest.approx(np.corrcoef(first, second)[0, 1])
    assert found.chance == pytest.approx(stats.ttest_rel(first, second).pvalue / 2)


def test_congruent_methods_need_a_smaller_lead() -> None:
    alone, alike = (chance_of_lead(0.02, (0.15, 0.15), r, 50) for r in (0.0, 0.9))
    assert alone > 0.2 > 0.05 > alike


def test_probability_is_calibrated() -> None:
    """Of leads that chance made, as many are below a probability as it says."""
    found = []
    for seed in range(1500):
        first, second = two(seed, 12, lead=0.0)
        spreads = (first.std(ddof=1), second.std(ddof=1))
        found.append(chance_of_lead(abs(first.mean() - second.mean()), spreads, congruence(first, second), 12))
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.1, abs=0.02)
    assert max(found) <= 0.5


@pytest.mark.parametrize("unknown", [{"subjects": 1}, {"alike": np.nan}, {"spreads": (0.1, np.nan)}, {"subjects": np.nan}])
def test_what_is_not_known_gives_no_probability(unknown: dict) -> None:
    assert np.isnan(chance_of_lead(**{"lead": 0.1, "spreads": (0.1, 0.1), "alike": 0.5, "subjects": 20, **unknown}))


def test_same_spread_and_perfect_congruence_leave_no_doubt() -> None:
    assert chance_of_lead(0.1, (0.2, 0.2), 1.0, 9) == 0
    assert chance_of_lead(0.0, (0.2, 0.2), 1.0, 9) == 0.5


def test_congruence_needs_subjects_that_differ() -> None:
    assert np.isnan(congruence(np.ones(9), GENERATOR(0).random(9)))
    assert np.isnan(congruence(np.arange(5.0), np.arange(5.0)))
    assert congruence(np.arange(9.0), np.arange(9.0)) == pytest.approx(1)
