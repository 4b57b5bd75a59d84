"""What holds for the layout of every public data set."""

from __future__ import annotations

import json
import os
import shutil
from importlib import import_module
from pathlib import Path

import pytest

from madad.cli.main import main
from madad.configuration import cohort_cards
from madad.core.errors import UserError
from madad.core.io.manifest import check_manifest, read_manifest
from madad.data.cohorts.finding import summary
from madad.data.cohorts.finding.manifest_rows import read
from madad.data.cohorts.finding.reading import Reading
from tests.data.cohorts.small_trees import TREES, options_of

KINDS = sorted(TREES)
MODALITY = {"ixi": "T1w", "brats": "T2w", "atlas": "T1w", "mslub": "FLAIR", "wmh": "FLAIR", "msd": "T2w"}


def read_kind(kind: str, root: Path, *modalities: str, **given: object) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Read the rows and excluded rows of a tree."""
    reading = reading_of(kind, root, *modalities, **given)
    return reading.rows, reading.excluded


def reading_of(kind: str, root: Path, *modalities: str, **given: object) -> Reading:
    """Read a tree."""
    find = import_module(f"madad.data.cohorts.{kind}").find
    return read(find, root, options_of(kind, **given), list(modalities or [MODALITY[kind]]))


def contents(root: Path) -> list[tuple[str, int, int]]:
    """Every file with its size and time."""
    return sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in root.rglob("*"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_subject_is_read(kind: str, tmp_path: Path) -> None:
    rows, excluded = read_kind(kind, TREES[kind](tmp_path / "data"))
    check_manifest(kind, rows)
    assert len({row["subject"] for row in rows}) == 3 and excluded == []
    assert all(bool(row["lesion_mask"]) == (row["group"] == "patient") == (kind != "ixi") for row in rows)
    assert not any(row["split"] == "train" for row in rows if row["group"] == "patient")


@pytest.mark.parametrize("kind", KINDS)
def test_spaces_and_other_alphabets_in_paths_work(kind: str, tmp_path: Path) -> None:
    root, folder = TREES[kind](tmp_path / "Große Studie" / "数据 [1] {x}"), tmp_path / "résultats 1"
    before = contents(root)
    options = json.dumps(options_of(kind) | {"kind": kind, "root": str(root)})
    arguments = ["stage", "manifest", "--name", kind, "--options", options, "--modalities", f'["{MODALITY[kind]}"]']
    assert main([*arguments, "--folder", str(folder), "--workers", "1"]) == 0
    rows = read_manifest(folder / "manifest.tsv")
    assert len({row["subject"] for row in rows}) == 3
    assert all(Path(row[key]).exists() for row in rows for key in ("path", "lesion_mask") if row[key])
    assert contents(root) == before, "reading wrote into the data set"


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_root_says_where_the_data_are_to_be_had(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_kind(kind, tmp_path)
    said = str(caught.value)
    assert f"root: {tmp_path} holds no " in said and "http" in said
    assert cohort_cards.card(kind)["tree"].splitlines()[-1].strip() in said


@pytest.mark.parametrize("kind", KINDS)
def test_a_root_that_is_not_there_is_named(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere is not a folder"):
        read_kind(kind, tmp_path / "nowhere")


@pytest.mark.parametrize("kind", KINDS)
def test_dicom_instead_of_nifti_is_recognised(kind: str, tmp_path: Path) -> None:
    (tmp_path / "IM0001").write_bytes(b"\0" * 128 + b"DICM" + b"\x02\0\0\0UL\x04\0")
    with pytest.raises(UserError, match="dcm2niix"):
        read_kind(kind, tmp_path)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ixi"])
def test_a_patient_without_a_lesion_mask_is_one_without_reference(kind: str, tmp_path: Path) -> None:
    root = TREES[kind](tmp_path / "data")
    rows, _ = read_kind(kind, root)
    lost = rows[-1]
    for row in rows:
        if row["subject"] == lost["subject"]:
            Path(row["lesion_mask"]).unlink()
    found = reading_of(kind, root)
    assert {row["subject"]: row["group"] for row in found.rows} == dict.fromkeys((row["subject"] for row in rows), "patient")
    assert {row["subject"] for row in found.rows if not row["lesion_mask"]} == {lost["subject"]} and not found.excluded
    told = summary.warnings(kind, summary.facts(found, root, kind, "auto"))
    assert len(told) == 1 and lost["subject"] in told[0] and "scored by subject, never by voxel" in told[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_image_costs_its_subject_alone(kind: str, tmp_path: Path) -> None:
    root = TREES[kind](tmp_path / "data")
    bad = Path(read_kind(kind, root)[0][-1]["path"])
    bad.write_bytes(b"no image")
    rows, excluded = read_kind(kind, root)
    assert len({row["subject"] for row in rows}) == 2 and str(bad) in excluded[0]["reason"]


@pytest.mark.parametrize("kind", KINDS)
def test_folders_that_are_links_are_followed_once(kind: str, tmp_path: Path) -> None:
    tree = TREES[kind](tmp_path / "disk")
    root = tmp_path / "data"
    root.mkdir()
    for path in tree.iterdir():
        (root / path.name).symlink_to(path)
    (root / "loop").symlink_to(root)
    assert len({row["subject"] for row in read_kind(kind, root)[0]}) == 3


def test_a_name_that_is_no_text_is_left_out(tmp_path: Path) -> None:
    root = TREES["ixi"](tmp_path / "data")
    folder = Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("the file system takes names in UTF-8 alone")
    shutil.move(root / "IXI-T1" / "IXI012-HH-1211-T1.nii.gz", folder)
    rows, excluded = read_kind("ixi", root)
    assert len(rows) == 2 and "not valid UTF-8" in excluded[0]["reason"]
    excluded[0]["path"].encode()


def test_missing_sequences_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no subject has a FLAIR image; found are PDw, T1w, T2w"):
        read_kind("ixi", TREES["ixi"](tmp_path), "FLAIR")
