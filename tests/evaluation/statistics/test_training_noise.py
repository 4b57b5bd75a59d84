"""Whether "outside the noise" holds what it promises: studies of two equal methods whose trainings differ by chance."""

from __future__ import annotations

import numpy as np
import pytest

from madad.evaluation.statistics.pairwise_tests import ONE_TRAINING, compare_all, winner
from madad.evaluation.statistics.variance import combined, over_seeds, over_subjects

GENERATOR = np.random.default_rng
SEED_SD = 1.5  # Dice points between trainings of one method
ANY = 1


def study(generator: np.random.Generator, seeds: int, subjects: int, lead: float = 0.0) -> list[np.ndarray]:
    """Two methods (seeds, N) in Dice points: subjects differ, methods suit them differently, and every training is another."""
    easy = generator.normal(40, 15, subjects)
    return [
        easy
        + shift
        + generator.normal(0, 2, subjects)
        + generator.normal(0, SEED_SD, (seeds, 1))
        + generator.normal(0, 1, (seeds, subjects))
        for shift in (lead, 0.0)
    ]


def bold(seeds: int, subjects: int, studies: int, lead: float = 0.0, trained: bool = True) -> float:
    """The share of studies in which either method is set in bold."""
    generator = GENERATOR(100 * subjects + seeds)
    drawn = (study(generator, seeds, subjects, lead) for _ in range(studies))
    return float(np.mean([winner(compare_all(values, [trained, trained]), 2, ANY) is not None for values in drawn]))


@pytest.mark.parametrize("subjects", [10, 50, 150])
@pytest.mark.parametrize(("seeds", "studies"), [(1, 100), (3, 800), (5, 800)])
def test_equal_methods_are_rarely_bold_however_many_seeds(seeds: int, subjects: int, studies: int) -> None:
    assert bold(seeds, subjects, studies) <= 0.06


def test_noise_of_training_left_out_is_what_made_equal_methods_bold() -> None:
    assert bold(1, 50, 100, trained=False) > 0.4


def test_real_leads_are_still_found() -> None:
    assert bold(3, 30, 100, lead=8.0) > 0.9
    assert bold(5, 30, 100, lead=5.0) > 0.9


def test_one_training_of_a_method_leaves_no_winner_and_says_so() -> None:
    first, second = study(GENERATOR(0), 1, 20, lead=30.0)
    [found] = compare_all([first, second], [True, True])
    assert found.ahead(ANY) is None and np.isnan(found.model) and found.reason == ONE_TRAINING
    assert found.wilcoxon < 0.001  # these two models do differ


def test_method_that_is_not_trained_needs_no_second_seed() -> None:
    trained, fixed = study(GENERATOR(0), 3, 20, lead=30.0)
    [found] = compare_all([trained, fixed[:1]], [True, False])
    assert found.ahead(ANY) == 0 and not found.reason
    [alone] = compare_all([trained[:1], fixed[:1]], [False, False])
    assert alone.ahead(ANY) == 0


def test_interval_of_a_difference_covers_it_with_seeds_and_subjects_drawn_anew() -> None:
    generator, covered = GENERATOR(1), []
    for _ in range(400):
        [found] = compare_all(study(generator, 3, 20, lead=2.0), [True, True])
        covered.append(found.mean_low <= 2 <= found.mean_high)
    assert 0.93 <= np.mean(covered) <= 0.99


def test_detectable_difference_counts_the_noise_of_training() -> None:
    values = study(GENERATOR(2), 3, 40)
    [several] = compare_all(values, [True, True])
    [single] = compare_all([one[:1] for one in values], [False, False])
    assert several.detectable > 1.5 * single.detectable


def test_degrees_of_freedom_are_those_of_the_source_that_dominates() -> None:
    values = GENERATOR(0).normal(size=(4, 30))
    seeds, subjects = over_seeds(1000 * values), over_subjects(values[0])
    assert combined([seeds, subjects]).freedom == pytest.approx(3, rel=0.01)
    assert combined([subjects]).freedom == 29
    assert combined([]).error == 0
