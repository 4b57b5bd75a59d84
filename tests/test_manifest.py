from __future__ import annotations

from pathlib import Path

import pytest

from madad.errors import UserError
from madad.manifest import COLUMNS, image_name, read_manifest, read_table, write_manifest

ROW = dict.fromkeys(COLUMNS, "") | {
    "subject": "sub-012",
    "split": "train",
    "group": "healthy",
    "modality": "T1w",
    "path": "a.nii.gz",
    "age": "31.5",
}


def test_manifest_comes_back_as_text(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.tsv", [ROW])
    assert read_manifest(tmp_path / "m.tsv") == [ROW]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"subject": "012"}, "line 2, subject"),
        ({"split": "dev"}, "'dev' is not one of"),
        ({"age": "old"}, "line 2, age"),
        ({"path": ""}, "line 2, path"),
        ({"colour": "red"}, "'colour' was unexpected"),
    ],
)
def test_bad_row_is_named(tmp_path: Path, change: dict[str, str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        write_manifest(tmp_path / "m.tsv", [ROW | change])
    assert not (tmp_path / "m.tsv").exists()


def test_an_image_is_listed_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sub-012 has more than one T1w"):
        write_manifest(tmp_path / "m.tsv", [ROW, ROW | {"path": "b.nii.gz"}])


def test_a_subject_is_in_one_split(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sub-012 is in the splits test, train"):
        write_manifest(tmp_path / "m.tsv", [ROW, ROW | {"session": "ses-2", "split": "test"}])


def test_name_tells_sessions_apart() -> None:
    assert image_name(ROW) == "sub-012" and image_name(ROW | {"session": "ses-2"}) == "sub-012_ses-2"


def test_table_with_ragged_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("one\ttwo\n1\t2\n3\n")
    with pytest.raises(UserError, match="line 3"):
        read_table(tmp_path / "t.tsv")
