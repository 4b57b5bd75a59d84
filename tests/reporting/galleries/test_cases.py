from __future__ import annotations

import numpy as np
import pytest

from madad.reporting.galleries.cases import HEALTHY, Case, Numbers, alarm_slice, choose_cases, lesion_slice, median_case


def test_cases_are_chosen_by_rank() -> None:
    cases = choose_cases({"a": 0.1, "b": 0.9, "c": 0.5, "d": np.nan})
    assert [(case.why, case.name, case.number) for case in cases] == [("best", "b", 3), ("median", "c", 3), ("worst", "a", 3)]


def test_equal_cases_are_ordered_by_name() -> None:
    assert choose_cases({"b": 0.5, "a": 0.5, "c": 0.5})[0].name == "a"


@pytest.mark.parametrize(("number", "whys"), [(0, []), (1, ["only"]), (2, ["best", "worst"])])
def test_few_subjects_make_few_cases(number: int, whys: list[str]) -> None:
    assert [case.why for case in choose_cases({str(n): float(n) for n in range(number)})] == whys


def test_healthy_case_has_the_median_score() -> None:
    assert median_case(HEALTHY, [{"a": 5.0, "b": 1.0, "c": 3.0}]) == [Case(HEALTHY, "c", pytest.approx(np.nan, nan_ok=True), 3)]


def test_healthy_case_of_several_methods_has_the_median_of_ranks_not_of_scores() -> None:
    loud, quiet = {"a": 100.0, "b": 300.0, "c": 200.0}, {"a": 0.1, "b": 0.2, "c": 0.3}
    assert median_case(HEALTHY, [loud, quiet, {"a": 1.0, "b": 3.0, "c": 2.0}])[0].name == "c"


@pytest.mark.parametrize("scores", [[], [{}], [{"a": np.nan}]])
def test_no_healthy_subject_is_no_case(scores) -> None:
    assert median_case(HEALTHY, scores) == []


def test_slice_with_the_largest_lesion() -> None:
    lesion = np.zeros((5, 4, 4), dtype=bool)
    lesion[1, 0, 0] = lesion[3, :2, 0] = True
    assert lesion_slice(lesion, np.ones_like(lesion)) == 3


def test_middle_of_the_brain_without_a_lesion() -> None:
    brain = np.zeros((9, 4, 4), dtype=bool)
    brain[4:9] = True
    assert lesion_slice(np.zeros_like(brain), brain) == 6


def test_slice_with_most_alarms_counts_the_brain_alone() -> None:
    brain = np.ones((5, 10, 10), dtype=bool)
    brain[4] = False
    scores = np.linspace(0, 1e-3, brain.size).reshape(brain.shape)
    scores[1, :3, 0], scores[4] = 5.0, 9.0
    assert alarm_slice([scores], brain) == 1


def test_alarms_of_all_methods_count_alike() -> None:
    brain = np.ones((3, 10, 10), dtype=bool)
    loud, quiet = np.zeros(brain.shape), np.zeros(brain.shape)
    loud[0, 0, :2] = 1000.0
    quiet[2, 0, :3] = 0.001
    assert alarm_slice([loud, quiet], brain) == 2


def test_map_without_alarms_shows_the_middle() -> None:
    brain = np.ones((5, 4, 4), dtype=bool)
    assert alarm_slice([np.zeros(brain.shape)], brain) == 2


def test_numbers_of_healthy_subjects_are_theirs(toy) -> None:
    identity = {"cohort": "phantom", "modality": "FLAIR", "method": "ddpm", "seed": "0", "testset": "phantom"}
    own = Numbers.of(toy.made.evaluation("metrics.tsv", **identity))
    assert len(own.auprc) == len(own.healthy_score) == len(own.false_positives) == 4
    assert not set(own.auprc) & set(own.healthy_score)
    assert own.describe(Case(HEALTHY, next(iter(own.healthy_score)))).endswith(" %")
    assert own.describe(Case(HEALTHY, "unknown")) == ""
