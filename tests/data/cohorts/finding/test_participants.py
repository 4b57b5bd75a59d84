"""What participants.tsv says is read as BIDS defines it; what could be misread is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from madad.core.errors import UserError
from madad.data.cohorts.finding.participants import Participants, age_in_years, groups_of, label, read_participants


def told(folder: Path, text: str | bytes, folders: tuple[str, ...] = (), **options: object) -> Participants:
    """What a table says; every subject in it has a folder unless the folders are given."""
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "participants.tsv").write_bytes(content)
    own = [label(line.split("\t")[0]) for line in content.decode("utf-8", "replace").splitlines()[1:]]
    return read_participants(folder, folders or own, options)


def groups(folder: Path, *words: str, **options: object) -> list[str]:
    rows = "".join(f"sub-{number}\t{word}\n" for number, word in enumerate(words))
    return [row["group"] for row in told(folder, f"participant_id\tgroup\n{rows}", **options).known.values()]


def test_no_table_is_fine(tmp_path: Path) -> None:
    assert read_participants(tmp_path, ["sub-01"], {}) == Participants()


@pytest.mark.parametrize("options", [{"columns": {"group": "dx"}}, {"healthy_values": ["CN"]}])
def test_options_that_speak_of_no_table_are_refused(tmp_path: Path, options: dict) -> None:
    with pytest.raises(UserError, match="no such file, but"):
        read_participants(tmp_path, ["sub-01"], options)


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_values_are_understood(tmp_path: Path, start: str, end: str) -> None:
    lines = [start + "participant_id\tage\tsex\tgroup\tsite", "07\t45.5\tfemale\tControl\tGuys", ""]
    found = told(tmp_path, end.join(lines), folders=("sub-07",))
    assert found.known["sub-07"] == {"age": "45.5", "sex": "F", "site": "Guys", "group": "healthy", "lesion_kind": ""}
    assert found.evidence == {"sub-07": "participants.tsv: group = Control"} and not found.notes


def test_missing_values_and_columns_become_empty(tmp_path: Path) -> None:
    found = told(tmp_path, "participant_id\tage\tgroup\nsub-1\tn/a\tN/A\n")
    assert set(found.known["sub-1"].values()) == {""} and not found.notes and not found.evidence


def test_a_quotation_mark_swallows_no_rows(tmp_path: Path) -> None:
    text = 'participant_id\tsite\tgroup\nsub-1\t"Guys\tcontrol\nsub-2\tHH\tpatient\nsub-3\tIOP"\tcontrol\n'
    assert [row["group"] for row in told(tmp_path, text).known.values()] == ["healthy", "patient", "healthy"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("id\tage\n1\t30\n", "no column participant_id"),
        ("participant_id,group\nsub-1,control\n", "no tabs"),
        ("participant_id\tgroup\tGroup\nsub-1\tcontrol\tpatient\n", "two columns are called group"),
        ("participant_id\tgroup\tparticipant_id\nsub-1\tcontrol\tsub-2\n", "two columns are called participant_id"),
        ("participant_id\tage\nsub-1\t30\n1\t40\n", "several rows for one subject: sub-1 in the lines 2, 3"),
        ("participant_id\tage\nsub-1\t30\nsub-1\t30\n", "several rows for one subject"),
        ("participant_id\tage\nsub-1\n", "line 2: the number of fields differs"),
        ("participant_id\tage\nsub-1\t30\t\n", r"line 2: .* \(3 under 2 columns\)"),
        ('participant_id\tgroup\nsub-1\t"control"\n', "quotation marks"),
        ("", "the table is empty"),
        ("participant_id\tgroup\nsub-1\tcontrol\n".encode("utf-16"), "not UTF-8"),
        ("participant_id\tsite\nsub-1\tKöln\n".encode("latin-1"), "not UTF-8"),
    ],
)
def test_what_could_be_misread_is_refused(tmp_path: Path, text: str | bytes, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as caught:
        told(tmp_path, text, folders=("sub-1",))
    assert str(tmp_path / "participants.tsv") in str(caught.value)


@pytest.mark.parametrize(
    ("written", "folder"), [("sub-001", "sub-01"), ("sub-A1", "sub-a1"), ("Sub-01", "sub-01"), ("patient_07", "sub-patient07")]
)
def test_ids_that_match_no_folder_are_refused_with_the_nearest(tmp_path: Path, written: str, folder: str) -> None:
    with pytest.raises(UserError, match=rf"1 ids match no folder.*\(line 2, nearest folder: {folder}\)"):
        told(tmp_path, f"participant_id\tgroup\n{written}\tcontrol\n", folders=(folder, "sub-9999"))


def test_subjects_without_a_folder_are_kept_for_the_list_of_what_is_left_out(tmp_path: Path) -> None:
    found = told(tmp_path, "participant_id\tgroup\nsub-1\tcontrol\nsub-2\tcontrol\n", folders=("sub-1",))
    assert set(found.known) == {"sub-1", "sub-2"}


def test_columns_and_healthy_values_name_what_differs(tmp_path: Path) -> None:
    text = "participant_id\tDiagnosis\tage_at_scan\nsub-1\tCN\t60\nsub-2\tMCI\t70\nsub-3\tn/a\t80\n"
    found = told(tmp_path, text, columns={"group": "diagnosis", "age": "age_at_scan"}, healthy_values=["cn"])
    assert [(row["group"], row["age"]) for row in found.known.values()] == [("healthy", "60"), ("patient", "70"), ("", "80")]
    assert found.evidence["sub-2"] == "participants.tsv: Diagnosis = MCI"


def test_a_column_that_does_not_exist_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'diagnosis'"):
        told(tmp_path, "participant_id\tdiagnosis\nsub-1\tCN\n", columns={"group": "diagnose"})


def test_healthy_values_that_occur_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"healthy_values: none of CN is in the column group.*0, 1"):
        groups(tmp_path, "0", "1", healthy_values=["CN"])


def test_a_column_that_names_healthy_subjects_is_pointed_out(tmp_path: Path) -> None:
    found = told(tmp_path, "participant_id\tdx\nsub-1\tcontrol\nsub-2\tMS\n")
    assert {row["group"] for row in found.known.values()} == {""} and "columns: {group: dx}" in found.notes[0]


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        (("HC", "MS", "n/a"), ["healthy", "patient", ""]),
        (("patient", "n/a"), ["patient", ""]),
        (("1", "2"), ["", ""]),
        (("young", "old"), ["", ""]),
        (("Healthy Control", "unknown"), ["healthy", ""]),
    ],
)
def test_nobody_is_healthy_or_ill_by_a_word_that_is_not_understood(tmp_path: Path, words: tuple, meaning: list) -> None:
    assert groups(tmp_path, *words) == meaning


def test_words_that_are_not_understood_are_named_with_the_key_that_explains_them(tmp_path: Path) -> None:
    found = told(tmp_path, "participant_id\tgroup\nsub-1\tyoung\nsub-2\told\n")
    assert "old, young" in found.notes[0] and "healthy_values" in found.notes[0]


def test_healthy_values_replace_the_usual_words() -> None:
    assert groups_of(["control", "none"], ["none"]) == {"control": "patient", "none": "healthy"}


def test_covariates_that_became_unknown_are_counted(tmp_path: Path) -> None:
    found = told(tmp_path, "participant_id\tage\nsub-1\t30-40\nsub-2\t50\nsub-3\t60\n")
    assert "age of 1 subjects" in found.notes[0] and "'30-40'" in found.notes[0]
    assert len(found.notes) == 1


def test_sex_is_kept_in_any_word(tmp_path: Path) -> None:
    found = told(tmp_path, "participant_id\tsex\nsub-1\tintersex\nsub-2\t1\nsub-3\tfemale\nsub-4\tn/a\n")
    assert [row["sex"] for row in found.known.values()] == ["intersex", "1", "F", ""] and found.notes == []


@pytest.mark.parametrize(
    ("text", "years"), [("45", "45"), ("038.7", "38.7"), ("045Y", "45"), ("89+", "89"), ("-3", ""), ("old", "")]
)
def test_ages(text: str, years: str) -> None:
    assert age_in_years(text) == years


def test_labels_have_their_prefix() -> None:
    assert label("012") == label("sub-012") == "sub-012"
