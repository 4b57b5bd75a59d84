from __future__ import annotations

from pathlib import Path

import pytest

from madad.core.errors import UserError
from madad.data.cohorts.finding.participants import age_in_years, group, label, read_participants


def table(folder: Path, text: str) -> Path:
    (folder / "participants.tsv").write_text(text)
    return folder


def test_no_table_is_fine(tmp_path: Path) -> None:
    assert read_participants(tmp_path) == ({}, {})


def test_values_are_understood(tmp_path: Path) -> None:
    known, conflicts = read_participants(
        table(tmp_path, "participant_id\tage\tsex\tgroup\tsite\n07\t45.5\tfemale\tControl\tGuys\n")
    )
    assert known["sub-07"] == {"age": "45.5", "sex": "F", "site": "Guys", "group": "healthy", "lesion_kind": ""}
    assert not conflicts


def test_missing_values_and_columns_become_empty(tmp_path: Path) -> None:
    known, _ = read_participants(table(tmp_path, "participant_id\tage\tgroup\nsub-1\tn/a\tN/A\n"))
    assert set(known["sub-1"].values()) == {""}


def test_two_differing_rows_of_a_subject_are_a_conflict(tmp_path: Path) -> None:
    _, conflicts = read_participants(table(tmp_path, "participant_id\tage\nsub-1\t30\n1\t40\n"))
    assert "line 3" in conflicts["sub-1"] and "participants.tsv" in conflicts["sub-1"]


def test_two_equal_rows_are_none(tmp_path: Path) -> None:
    assert read_participants(table(tmp_path, "participant_id\tage\nsub-1\t30\nsub-1\t30\n"))[1] == {}


def test_a_table_without_ids_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="participant_id"):
        read_participants(table(tmp_path, "id\tage\n1\t30\n"))


@pytest.mark.parametrize(
    ("text", "years"), [("45", "45"), ("038.7", "38.7"), ("045Y", "45"), ("89+", "89"), ("-3", ""), ("old", "")]
)
def test_ages(text: str, years: str) -> None:
    assert age_in_years(text) == years


@pytest.mark.parametrize(("text", "meaning"), [("HC", "healthy"), ("MS", "patient"), ("", "")])
def test_what_is_not_healthy_is_a_patient(text: str, meaning: str) -> None:
    assert group(text) == meaning


def test_labels_have_their_prefix() -> None:
    assert label("012") == label("sub-012") == "sub-012"
