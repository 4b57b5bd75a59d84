from __future__ import annotations

from pathlib import Path

from tests.data.cohorts.small_cohorts import write_image
from tests.data.cohorts.small_trees import brats
from tests.data.cohorts.test_public_layouts import read_kind


def test_every_sequence_has_the_case_s_labels(tmp_path: Path) -> None:
    rows, _ = read_kind("brats", brats(tmp_path, 2), "FLAIR", "T1w", "T1ce", "T2w")
    assert [row["modality"] for row in rows[:4]] == ["FLAIR", "T1ce", "T1w", "T2w"]
    assert {row["subject"] for row in rows} == {"sub-BraTS202100000", "sub-BraTS202100002"}
    assert all(Path(row["lesion_mask"]).name == f"BraTS2021_{row['subject'][-5:]}_seg.nii.gz" for row in rows)
    assert {(row["lesion_labels"], row["lesion_kind"]) for row in rows} == {("", "tumour")}  # all labels fused


def test_the_split_has_the_published_shares(tmp_path: Path) -> None:
    rows, _ = read_kind("brats", brats(tmp_path, 25))
    assert sum(row["split"] == "validation" for row in rows) == 2  # 25 * 100 / 1251


def test_labels_can_be_chosen(tmp_path: Path) -> None:
    rows, _ = read_kind("brats", brats(tmp_path), lesion_labels=[1, 4])
    assert {row["lesion_labels"] for row in rows} == {"1 4"}


def test_cases_of_2020_are_read_as_well(tmp_path: Path) -> None:
    for word in ("flair", "seg"):
        write_image(tmp_path / "BraTS20_Training_001" / f"BraTS20_Training_001_{word}.nii", len(word))
    assert read_kind("brats", tmp_path, "FLAIR")[0][0]["subject"] == "sub-BraTS20Training001"


def test_a_misnamed_folder_does_not_matter(tmp_path: Path) -> None:
    root = brats(tmp_path)
    (root / "BraTS2021_00000").rename(root / "first case")
    assert len(read_kind("brats", root)[0]) == 3
