from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.cohorts.small_trees import wmh
from tests.data.cohorts.test_public_layouts import read_kind

SITES = [("sub-AmsterdamGE3T100", "Amsterdam GE3T"), ("sub-Singapore50", "Singapore"), ("sub-Utrecht0", "Utrecht")]


@pytest.mark.parametrize(("variant", "folder"), [("preprocessed", "pre"), ("raw", "orig")])
def test_sites_variants_and_labels(tmp_path: Path, variant: str, folder: str) -> None:
    rows, excluded = read_kind("wmh", wmh(tmp_path), "FLAIR", "T1w", variant=variant)
    assert [(row["subject"], row["site"]) for row in rows if row["modality"] == "T1w"] == SITES
    assert {Path(row["path"]).parent.name for row in rows} == {folder} and excluded == []
    assert {(Path(row["lesion_mask"]).name, row["lesion_labels"]) for row in rows} == {("wmh.nii.gz", "1")}


def test_the_aligned_t1w_image_is_taken(tmp_path: Path) -> None:
    rows, _ = read_kind("wmh", wmh(tmp_path), "T1w", variant="raw")
    assert {Path(row["path"]).name for row in rows} == {"T1.nii.gz"}


@pytest.mark.parametrize("inner", ["training", "training/Amsterdam", "training/Amsterdam/GE3T"])
def test_a_root_further_inside_works(tmp_path: Path, inner: str) -> None:
    rows, _ = read_kind("wmh", wmh(tmp_path) / inner)
    assert ("GE3T" if "Amsterdam" in inner else "Amsterdam GE3T") in {row["site"] for row in rows}


def test_test_scans_are_further_people(tmp_path: Path) -> None:
    root = wmh(tmp_path / "data")
    (root / "training" / "Amsterdam").rename(root / "test")
    rows, _ = read_kind("wmh", root)
    assert [row["site"] for row in rows] == ["GE3T", "Singapore", "Utrecht"]


def test_a_quarter_validates(tmp_path: Path) -> None:
    rows, _ = read_kind("wmh", wmh(tmp_path, 12))
    assert sum(row["split"] == "validation" for row in rows) == 3
