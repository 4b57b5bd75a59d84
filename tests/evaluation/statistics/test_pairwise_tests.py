from __future__ import annotations

import numpy as np
import pytest
import scikit_posthocs
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import multitest, power

from madad.evaluation.statistics.pairwise_tests import (
    MOST_EXACT,
    Comparison,
    compare_all,
    detectable_difference,
    holm,
    median_interval,
    rank_biserial,
    sign_test,
    wilcoxon,
    winner,
)
from madad.evaluation.statistics.ranks import ranks

GENERATOR = np.random.default_rng


def compared(values: np.ndarray, trained: bool = False) -> list[Comparison]:
    """Every pair of columns of (N, K), each method with one seed."""
    return compare_all([values[None, :, index] for index in range(values.shape[1])], [trained] * values.shape[1])


def between(found: list[Comparison], first: int, second: int) -> Comparison:
    return next(one for one in found if (one.first, one.second) == (first, second))


@pytest.mark.parametrize("number", [2, 5, 9, 20, MOST_EXACT, MOST_EXACT + 1, 200])
def test_wilcoxon_without_ties_is_that_of_scipy(number: int) -> None:
    differences = GENERATOR(number).normal(0.3, 1, number)
    expected = stats.wilcoxon(differences, method="exact" if number <= MOST_EXACT else "approx")
    assert wilcoxon(differences) == pytest.approx(expected.pvalue, rel=1e-9)


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=11))
@settings(max_examples=30, deadline=None)
def test_wilcoxon_with_ties_and_zeros_is_the_full_enumeration(values: list[int]) -> None:
    differences = np.array(values, dtype=float)
    if not differences.any():
        assert wilcoxon(differences) == 1
        return
    every_sign = stats.PermutationMethod(n_resamples=2**12)
    expected = stats.wilcoxon(differences, zero_method="pratt", method=every_sign)
    assert wilcoxon(differences) == pytest.approx(expected.pvalue, rel=1e-9)


def test_wilcoxon_of_many_subjects_keeps_the_zeros_in_the_ranking() -> None:
    differences = np.append(np.zeros(20), GENERATOR(0).normal(0.3, 1, 45))
    pratt, dropped = (stats.wilcoxon(differences, zero_method=way, method="approx").pvalue for way in ("pratt", "wilcox"))
    assert wilcoxon(differences) == pytest.approx(pratt) != pytest.approx(dropped)


def test_fewer_than_six_subjects_never_reach_significance() -> None:
    assert wilcoxon(np.full(5, 0.4)) == pytest.approx(0.0625)  # the normal approximation of tied ranks would say 0.04
    assert wilcoxon(np.full(6, 0.4)) == pytest.approx(0.03125)


def test_sign_test_is_binomial() -> None:
    differences = np.array([0.1, 0.2, 0.3, -0.1, 0, 0, 0.5, 0.2])
    assert sign_test(differences) == pytest.approx(stats.binomtest(5, 6, 0.5).pvalue)
    assert sign_test(np.zeros(8)) == 1


def test_rank_biserial_without_zeros() -> None:
    differences = GENERATOR(0).normal(0.4, 1, 15)
    favourable = stats.wilcoxon(differences, alternative="greater").statistic
    assert rank_biserial(differences) == pytest.approx(2 * favourable / (15 * 16 / 2) - 1)
    assert rank_biserial(-differences) == pytest.approx(-rank_biserial(differences))
    assert rank_biserial(np.arange(1.0, 9)) == 1


def test_zeros_pull_the_effect_towards_nothing() -> None:
    assert 0 < rank_biserial(np.array([0.0, 0, 0, 1, 2])) < rank_biserial(np.array([1.0, 2]))
    assert rank_biserial(np.zeros(4)) == 0


@pytest.mark.parametrize("number", [1, 2, 7, 66])
def test_holm_is_that_of_statsmodels(number: int) -> None:
    p_values = np.round(GENERATOR(number).random(number) ** 3, 2)  # with ties, zeros and values that reach 1
    assert holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1])


def test_holm_corrects_for_the_tests_that_were_made() -> None:
    assert holm(np.array([0.01, np.nan, 0.04])) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)
    assert holm(np.array([])).size == 0


def test_adjusted_p_values_are_those_of_scikit_posthocs() -> None:
    values = GENERATOR(3).normal(size=(20, 4)) + np.array([0, 0.4, 0.9, 1])
    expected = scikit_posthocs.posthoc_wilcoxon(list(values.T), zero_method="pratt", p_adjust="holm").to_numpy()
    for one in compared(values):
        assert one.holm == pytest.approx(expected[one.first, one.second], rel=1e-9)


@pytest.mark.parametrize("number", [7, 8, 25, 26])
def test_median_interval_is_that_of_endless_resampling(number: int) -> None:
    differences = np.sort(GENERATOR(number).normal(size=number))
    drawn = np.sort(GENERATOR(0).choice(differences, (100_000, number)), axis=1)
    lower, upper = drawn[:, (number - 1) // 2], drawn[:, number // 2]  # one place for odd numbers, two for even ones
    assert median_interval(differences) == pytest.approx((np.quantile(lower, 0.025), np.quantile(upper, 0.975)), abs=1e-9)


@pytest.mark.parametrize("number", [60, 200, 2000])
def test_detectable_difference_of_many_is_that_of_the_t_test_with_fewer_subjects(number: int) -> None:
    differences = GENERATOR(0).normal(0, 0.5, number)
    of_t = power.TTestPower().solve_power(power=0.8, nobs=number, alpha=0.05) * differences.std(ddof=1)
    assert detectable_difference(differences) == pytest.approx(of_t / np.sqrt(3 / np.pi), rel=2e-3)


@pytest.mark.parametrize("number", [6, 8, 12, 30])
def test_power_of_the_detectable_difference_is_what_it_says(number: int) -> None:
    drawn = GENERATOR(number).normal(size=(1500, number))
    shift = detectable_difference(np.array([-1.0, 1.0] * (number // 2))) / np.std([-1.0, 1.0] * (number // 2), ddof=1)
    found = np.mean([wilcoxon(one + shift) < 0.05 for one in drawn])
    assert 0.77 <= found <= 0.83


def test_detectable_difference_is_detected_four_times_in_five() -> None:
    generator = GENERATOR(1)
    shift = detectable_difference(stats.norm.ppf((np.arange(20) + 0.5) / 20)) / np.std(
        stats.norm.ppf((np.arange(20) + 0.5) / 20), ddof=1
    )
    found = [wilcoxon(generator.normal(shift, 1, 20)) < 0.05 for _ in range(600)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)


def test_no_difference_is_detectable_below_six_subjects() -> None:
    assert np.isnan(detectable_difference(np.arange(5.0)))


def test_doubled_method_ties_with_p_one_and_shares_the_rank() -> None:
    values = GENERATOR(0).random((15, 3))
    doubled = np.column_stack([values, values[:, 1]])
    found = between(compared(doubled), 1, 3)
    assert (found.wilcoxon, found.holm, found.sign) == (1, 1, 1)
    assert (found.mean, found.mean_low, found.mean_high, found.effect, found.median) == (0, 0, 0, 0, 0)
    assert found.reason == "equal for every subject"
    ranked = ranks(doubled, 1)
    assert (ranked[:, 1] == ranked[:, 3]).all()


def test_order_of_the_columns_changes_nothing() -> None:
    values = np.round(GENERATOR(2).random((14, 4)), 2)
    values[:5] = 0
    order = [2, 0, 3, 1]
    plain, shuffled = compared(values), compared(values[:, order])
    for one in shuffled:
        first, second = order[one.first], order[one.second]
        other = between(plain, min(first, second), max(first, second))
        assert (one.wilcoxon, one.sign, one.detectable) == pytest.approx((other.wilcoxon, other.sign, other.detectable), rel=1e-9)
        assert (one.holm, abs(one.effect), abs(one.mean)) == pytest.approx((other.holm, abs(other.effect), abs(other.mean)))
        sign = 1 if first < second else -1
        assert sorted((sign * one.mean_low, sign * one.mean_high)) == pytest.approx([other.mean_low, other.mean_high])
    assert ranks(values[:, order], 1).mean(axis=0) == pytest.approx(ranks(values, 1).mean(axis=0)[order])


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (0, "no subject with a value under both"),
        (1, "one subject only"),
        (4, "with 4 subjects and 1 pair no adjusted p can lie below 0.12"),
        (6, ""),
    ],
)
def test_too_few_subjects_are_declared(number: int, reason: str) -> None:
    [found] = compared(np.column_stack([np.linspace(0, 0.5, number), np.linspace(0.1, 0.9, number)]))
    assert found.reason == reason
    assert np.isnan(found.wilcoxon) == (number < 2)
    assert found.subjects == number


def test_too_few_subjects_for_so_many_pairs_are_declared() -> None:
    values = np.linspace(0, 1, 8)[None, :] + np.linspace(0, 0.1, 10)[:, None] * np.arange(1, 9)
    found = compared(values)
    assert {one.reason for one in found} == {"with 10 subjects and 28 pairs no adjusted p can lie below 0.055"}
    assert min(one.holm for one in found) == pytest.approx(28 * 2 / 2**10)


def test_one_method_has_no_pair() -> None:
    assert compared(np.zeros((5, 1))) == []
    assert winner([], 1, 1) is None


def test_winner_beats_every_other_outside_the_noise() -> None:
    base = np.linspace(0, 0.4, 14)
    noise = GENERATOR(0).normal(0, 0.01, (14, 3))
    clear = base[:, None] + noise + np.array([0, 0.1, 0.3])
    assert winner(compared(clear), 3, 1) == 2
    assert winner(compared(clear), 3, -1) == 0
    close = base[:, None] + noise + np.array([0, 0.3, 0.3])
    assert winner(compared(close), 3, 1) is None


def test_mean_and_ranks_that_point_elsewhere_make_no_winner() -> None:
    differences = np.array([-0.01] * 40 + [2.0] * 8)
    [found] = compared(np.column_stack([differences, np.zeros(48)]))
    assert found.holm < 0.05 and found.mean_low > 0 > found.effect
    assert found.ahead(1) is found.ahead(-1) is None


def test_lead_whose_interval_holds_zero_makes_no_winner() -> None:
    differences = np.array([0.01] * 20 + [-0.05] * 2)
    [found] = compared(np.column_stack([differences, np.zeros(22)]))
    assert found.holm < 0.05 and found.mean > 0 and found.effect > 0 > found.mean_low
    assert found.ahead(1) is None


def test_rounding_of_means_makes_no_winner() -> None:
    first = np.array([0.1 + 0.2, 0.3, 0.3] * 3)
    [found] = compared(np.column_stack([first, np.full(9, 0.3)]))
    assert found.equal == 9
    assert ranks(np.array([[0.1 + 0.2, 0.3]]), 1).tolist() == [[1.5, 1.5]]
