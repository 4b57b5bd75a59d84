from __future__ import annotations

import csv
import shutil
import struct
from pathlib import Path

import pytest

from madad.core.errors import UserError
from madad.data.cohorts.ixi import read_people
from tests.data.cohorts.small_cohorts import write_image
from tests.data.cohorts.small_trees import ixi
from tests.data.cohorts.test_public_layouts import read_kind

HEADER = ("IXI_ID", "SEX_ID (1=m, 2=f)", "HEIGHT", "AGE")


def test_sites_ages_and_sexes_are_known(tmp_path: Path) -> None:
    rows, _ = read_kind("ixi", ixi(tmp_path), "T1w", "T2w")
    facts = [(row["subject"], row["site"], row["age"], row["sex"], row["group"]) for row in rows if row["modality"] == "T1w"]
    assert facts == [
        ("sub-IXI012", "HH", "35.80", "M", "healthy"),
        ("sub-IXI013", "Guys", "46.71", "F", "healthy"),
        ("sub-IXI014", "IOP", "", "M", "healthy"),
    ]


def test_sequences_of_a_subject_share_a_split(tmp_path: Path) -> None:
    rows, _ = read_kind("ixi", ixi(tmp_path, 9), "T1w", "T2w")
    assert len({(row["subject"], row["split"]) for row in rows}) == 9 and len(rows) == 18


def test_a_sequence_that_one_lacks_costs_nothing_else(tmp_path: Path) -> None:
    root = ixi(tmp_path)
    next((root / "IXI-T2").glob("IXI013*")).unlink()
    rows, excluded = read_kind("ixi", root, "T1w", "T2w")
    assert len(rows) == 5
    assert [(row["subject"], row["reason"].split(";")[0]) for row in excluded] == [("sub-IXI013", "no T2w image here")]


def test_a_misnamed_file_is_told(tmp_path: Path) -> None:
    root = ixi(tmp_path)
    write_image(root / "IXI-T1" / "IXI-040_T1.nii.gz", 99)
    rows, excluded = read_kind("ixi", root)
    assert len(rows) == 3 and excluded[0]["path"].endswith("IXI-040_T1.nii.gz") and "IXI012-HH-1211-T1" in excluded[0]["reason"]


def test_images_of_one_folder_are_read_as_well(tmp_path: Path) -> None:
    root = ixi(tmp_path)
    for path in (root / "IXI-T1").iterdir():
        shutil.move(path, root / path.name)
    assert len(read_kind("ixi", root)[0]) == 3


def test_unknown_ages_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ixi(tmp_path)
    read_kind("ixi", root)
    assert "the age of 1 of 3 subjects is unknown, such as sub-IXI014" in capsys.readouterr().err
    (root / "IXI.csv").unlink()
    rows, _ = read_kind("ixi", root)
    assert "no IXI.xls" in capsys.readouterr().err and {row["age"] for row in rows} == {""}


def record(kind: int, content: bytes) -> bytes:
    """Return a record of a BIFF2 file, the oldest format of Excel, with the content of IXI.xls."""
    return struct.pack("<HH", kind, len(content)) + content


def excel(path: Path, *rows: tuple) -> Path:
    """Write an Excel file with the header and the rows; None is an empty cell."""
    cells = []
    for number, row in enumerate([HEADER, *rows]):
        for column, value in enumerate(row):
            place = struct.pack("<HH3x", number, column)
            if isinstance(value, str):
                cells.append(record(0x04, place + struct.pack("B", len(value)) + value.encode()))
            elif value is not None:
                cells.append(record(0x03, place + struct.pack("<d", value)))
    path.write_bytes(record(0x09, struct.pack("<HH", 2, 0x10)) + b"".join(cells) + record(0x0A, b""))
    return path


def test_the_excel_table_is_read(tmp_path: Path) -> None:
    excel(tmp_path / "IXI.xls", (2, 2, 164, 35.800136892539356), (12, 1, 175, 38.78), (13, 1, None, None))
    assert read_people(tmp_path) == {
        "sub-IXI002": {"age": "35.80", "sex": "F"},
        "sub-IXI012": {"age": "38.78", "sex": "M"},
        "sub-IXI013": {"age": "", "sex": "M"},
    }


@pytest.mark.parametrize("rows", [((7, 1, 170, 40), (7, 0, 0, None)), ((7, 0, 0, 0), (7, 1, 170, 40))])
def test_an_emptied_copy_of_a_row_takes_nothing_away(tmp_path: Path, rows: tuple) -> None:
    excel(tmp_path / "IXI.xls", *rows)
    assert read_people(tmp_path) == {"sub-IXI007": {"age": "40.00", "sex": "M"}}


def test_what_two_rows_say_differently_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    excel(tmp_path / "IXI.xls", (7, 1, 170, 40), (7, 1, 170, 52), (7, 1, 170, 40))
    assert read_people(tmp_path) == {"sub-IXI007": {"age": "", "sex": "M"}}
    assert "sub-IXI007 has more than one age" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "comma"), [("IXI.csv", ","), ("IXI.tsv", "\t")])
def test_an_export_as_text_is_read(tmp_path: Path, name: str, comma: str) -> None:
    with open(tmp_path / name, "w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream, delimiter=comma).writerows([HEADER, (2, 2, 164, 35.8), (), (13, "", "", "")])
    assert read_people(tmp_path) == {"sub-IXI002": {"age": "35.80", "sex": "F"}, "sub-IXI013": {"age": "", "sex": ""}}


def test_the_original_is_preferred(tmp_path: Path) -> None:
    (tmp_path / "IXI.csv").write_text("IXI_ID,SEX,AGE\n2,1,20\n")
    excel(tmp_path / "IXI.xls", (2, 2, 164, 35.8))
    assert read_people(tmp_path)["sub-IXI002"]["sex"] == "F"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("IXI.xls", b"<html>404</html>", "not a readable Excel 97 table"),
        ("IXI.xls", b"", "not a readable Excel 97 table"),
        ("IXI.csv", b"ID,AGE\n1,2\n", "no column is called IXI_ID"),
        ("IXI.csv", b"IXI_ID,SEX,AGE\nabc,1,2\n", "the IXI_ID 'abc' is not a number"),
        ("IXI.csv", b"IXI_ID,SEX_ID (1=m, 2=f),AGE\n2,1,35\n", "line 2: 3 fields under 4 columns"),
        ("IXI.csv", b"IXI_ID,SEX,AGE\n\xff\xfe", "save it again as UTF-8"),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=says):
        read_people(tmp_path)
