from __future__ import annotations

from collections import Counter

import pytest

from madad.core.validation_parts import FEWEST, chosen_for, disjoint_parts, part_of

NAMES = [f"sub-{number:03d}" for number in range(200)]


def test_parts_share_nobody_and_leave_nobody_out() -> None:
    found = Counter(name for part in FEWEST for name in chosen_for(part, NAMES))
    assert set(found) == set(NAMES) and set(found.values()) == {1}
    assert len(chosen_for("calibration", NAMES)) == pytest.approx(100, abs=20)


def test_part_of_a_subject_is_that_of_every_cohort_it_is_in() -> None:
    fewer = NAMES[50:120]
    for part in FEWEST:
        assert chosen_for(part, fewer) == chosen_for(part, NAMES) & set(fewer) == {n for n in fewer if part_of(n) == part}


@pytest.mark.parametrize("part", list(FEWEST))
def test_without_enough_in_a_part_all_serve_all(part: str) -> None:
    others = [name for name in NAMES if part_of(name) != part]
    enough = [name for name in NAMES if part_of(name) == part][: FEWEST[part]]
    assert disjoint_parts(others + enough) is not None
    few = others + enough[:-1]
    assert disjoint_parts(few) is None
    assert all(chosen_for(each, few) == set(few) for each in FEWEST)
