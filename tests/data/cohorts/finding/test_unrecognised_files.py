from __future__ import annotations

from pathlib import Path

import pytest

from madad.data.cohorts.finding import unrecognised_files

DICOM = b"\0" * 128 + b"DICM" + b"\x02\0\0\0UL\x04\0"


@pytest.mark.parametrize("name", ["IM0001", "IM0001.dcm", "1.2.840.1234"])
def test_dicom_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    (tmp_path / "série 1").mkdir()
    (tmp_path / "série 1" / name).write_bytes(DICOM)
    (tmp_path / "README").write_text("words")
    said = unrecognised_files.foreign_files(tmp_path)
    assert said.startswith("1 of its 2 files") and name in said and "dcm2niix" in said and "dcm2bids" in said


@pytest.mark.parametrize(
    ("name", "content", "tool"),
    [
        ("a.dcm", b"no preamble", "dcm2niix"),
        ("a.nrrd", b"NRRD0004\n", "SimpleITK"),
        ("a.mha", b"ObjectType = Image\n", "SimpleITK"),
        ("a.mnc", b"\x89HDF\r\n\x1a\n", "mnc2nii"),
        ("a.mgz", b"?", "mri_convert"),
        ("a.img", b"\0" * 100, "ANALYZE"),
        ("a+orig.HEAD", b"type = string", "3dAFNItoNIFTI"),
        ("a.PAR", b"# === DATA DESCRIPTION FILE ===", "PAR/REC"),
    ],
)
def test_converter_is_named(tmp_path: Path, name: str, content: bytes, tool: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert tool in unrecognised_files.foreign_files(tmp_path) and name in unrecognised_files.foreign_files(tmp_path)


def test_most_frequent_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mgz").write_bytes(b"?")
    for number in range(3):
        (tmp_path / f"b{number}").write_bytes(DICOM)
    assert "3 of its 4 files" in unrecognised_files.foreign_files(tmp_path)


def test_folder_without_images_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("words")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert unrecognised_files.foreign_files(tmp_path) is None


def test_endless_archive_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unrecognised_files, "MOST_FILES", 3)
    for number in range(9):
        (tmp_path / f"b{number}").write_bytes(DICOM)
    assert "3 of its first 3 files" in unrecognised_files.foreign_files(tmp_path)
