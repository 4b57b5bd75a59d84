from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from madad.core.errors import UserError
from madad.core.io.manifest import COLUMNS, image_name, read_manifest, read_table, write_manifest

ROOT = Path(__file__).resolve().parents[3]
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
        ({"frame": "-1"}, "line 2, frame"),
        ({"lesion_labels": "1,2"}, "line 2, lesion_labels"),
        ({"colour": "red"}, "'colour' was unexpected"),
    ],
)
def test_bad_row_is_named(tmp_path: Path, change: dict[str, str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        write_manifest(tmp_path / "m.tsv", [ROW | change])
    assert not (tmp_path / "m.tsv").exists()


def test_frames_labels_and_other_alphabets_come_back(tmp_path: Path) -> None:
    row = ROW | {"frame": "3", "lesion_labels": "1 4", "path": "Daten für 数据/a b\tc.nii.gz"}
    write_manifest(tmp_path / "m.tsv", [row])
    assert read_manifest(tmp_path / "m.tsv") == [row]


def test_other_alphabets_are_written_whatever_the_locale(tmp_path: Path) -> None:
    code = "import sys; from madad.core.io.manifest import write_table; "
    code += "write_table(sys.argv[1], [{'path': '\\u6570.nii'}], ['path'])"
    plain = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "t.tsv")], env=plain, check=True, cwd=ROOT)
    assert read_table(tmp_path / "t.tsv") == [{"path": "数.nii"}]


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
