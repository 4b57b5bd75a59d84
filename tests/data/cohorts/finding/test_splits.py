from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madad.core.errors import UserError
from madad.data.cohorts.finding.splits import Person, assign, largest_remainder

SPLIT = {"train": 0.6, "validation": 0.2, "test": 0.2}
PATIENT_SPLIT = {"validation": 0.5, "test": 0.5}


def healthy(count: int) -> list[Person]:
    return [Person(f"sub-{i:03d}", "healthy", str(20 + (i * 7) % 60), "FM"[i % 2]) for i in range(count)]


@given(st.integers(0, 200), st.integers(0, 10), st.integers(0, 10))
@settings(deadline=None, max_examples=50)
def test_counts_sum_and_stay_within_one_of_their_quota(total: int, a: int, b: int) -> None:
    fractions = {"train": a / 20, "validation": b / 20, "test": 1 - (a + b) / 20}
    counts = largest_remainder(total, fractions)
    assert sum(counts.values()) == total
    assert all(abs(counts[name] - total * fractions[name]) < 1 + 1e-6 for name in counts)


@given(st.integers(1, 60), st.integers(0, 5))
@settings(deadline=None, max_examples=30)
def test_sizes_are_those_of_the_largest_remainder(count: int, seed: int) -> None:
    chosen = assign(healthy(count), SPLIT, PATIENT_SPLIT, seed)
    expected = {name: n for name, n in largest_remainder(count, SPLIT).items() if n}
    assert Counter(chosen.values()) == expected


def test_order_of_the_subjects_does_not_matter() -> None:
    people = healthy(20)
    assert assign(people, SPLIT, PATIENT_SPLIT, 1) == assign(people[::-1], SPLIT, PATIENT_SPLIT, 1)


def test_another_seed_deals_differently() -> None:
    people = healthy(30)
    assert assign(people, SPLIT, PATIENT_SPLIT, 1) != assign(people, SPLIT, PATIENT_SPLIT, 2)


def test_patients_are_never_trained_on() -> None:
    people = [Person(f"sub-{i}", "patient") for i in range(9)]
    assert set(assign(people, SPLIT, PATIENT_SPLIT, 0).values()) == {"validation", "test"}


@pytest.mark.parametrize("seed", range(4))
def test_age_and_sex_are_in_proportion_in_every_split(seed: int) -> None:
    chosen = assign(healthy(120), SPLIT, PATIENT_SPLIT, seed)
    for name, size in Counter(chosen.values()).items():
        members = [p for p in healthy(120) if chosen[p.subject] == name]
        assert abs(sum(p.sex == "F" for p in members) / size - 0.5) < 0.1
        assert abs(sum(float(p.age) for p in members) / size - 49.5) < 4


def test_each_kind_of_lesion_is_in_either_split() -> None:
    people = [Person(f"sub-{i}", "patient", str(30 + i), "FM"[i % 2], kind) for i, kind in enumerate("aabbccdd")]
    chosen = assign(people, SPLIT, PATIENT_SPLIT, 0)
    tested = Counter(p.lesion_kind for p in people if chosen[p.subject] == "test")
    assert tested == {"a": 1, "b": 1, "c": 1, "d": 1}


def test_a_split_left_empty_is_said(capsys: pytest.CaptureFixture) -> None:
    assert assign(healthy(1), SPLIT, PATIENT_SPLIT, 0) == {"sub-000": "train"}
    assert "none for validation" in capsys.readouterr().err


def test_nobody_is_no_error() -> None:
    assert assign([], SPLIT, PATIENT_SPLIT, 0) == {}


@pytest.mark.parametrize(
    "split",
    [{"train": 0.5, "test": 0.4}, {"train": 1.2, "test": -0.2}, {"train": 0.5, "dev": 0.5}],
    ids=["sum", "negative", "name"],
)
def test_wrong_fractions_are_refused(split: dict[str, float]) -> None:
    with pytest.raises(UserError, match="split"):
        assign(healthy(4), split, PATIENT_SPLIT, 0)


def test_named_patients_validate_and_all_others_are_tested_on() -> None:
    people = [*healthy(10), *(Person(f"sub-p{i}", "patient") for i in range(6))]
    chosen = assign(people, SPLIT, PATIENT_SPLIT, 0, {"sub-p1", "sub-p4", "sub-000", "sub-nobody"})
    assert {s for s in chosen if chosen[s] == "validation" and "p" in s} == {"sub-p1", "sub-p4"}
    assert sum(chosen[f"sub-p{i}"] == "test" for i in range(6)) == 4
    healthy_alone = assign(healthy(10), SPLIT, PATIENT_SPLIT, 0)
    assert {s: chosen[s] for s in healthy_alone} == healthy_alone
