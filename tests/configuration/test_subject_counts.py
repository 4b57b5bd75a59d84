"""Subjects are counted by names alone, and the work is divided by that."""

from __future__ import annotations

from pathlib import Path

import pytest

from madad.configuration import subject_counts

SUBJECT = {
    "atlas": "Training/R001/{name}/ses-1/anat/{name}_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz",
    "bids": "{name}/anat/{name}_FLAIR.nii.gz",
    "brats": "BraTS2021_Training_Data/BraTS2021_{number:05d}/BraTS2021_{number:05d}_t2.nii.gz",
    "ixi": "T1/IXI{number:03d}-Guys-0828-T1.nii.gz",
    "msd": "imagesTr/BRATS_{number:03d}.nii.gz",
    "mslub": "patient{number:02d}/patient{number:02d}_FLAIR.nii.gz",
    "wmh": "Utrecht/{number}/pre/FLAIR.nii.gz",
}
# A second file of every subject must not make it two.
SECOND = {
    "atlas": "Training/R001/{name}/ses-1/anat/{name}_ses-1_label-L_desc-T1lesion_mask.nii.gz",
    "bids": "{name}/ses-2/anat/{name}_ses-2_FLAIR.nii.gz",
    "brats": "BraTS2021_Training_Data/BraTS2021_{number:05d}/BraTS2021_{number:05d}_seg.nii.gz",
    "ixi": "T2/IXI{number:03d}-Guys-0828-T2.nii.gz",
    "msd": "labelsTr/BRATS_{number:03d}.nii.gz",
    "mslub": "patient{number:02d}/patient{number:02d}_consensus_gt.nii.gz",
    "wmh": "Utrecht/{number}/wmh.nii.gz",
}


def cohort(kind: str, root: Path, **options: object) -> dict:
    return {"kind": kind, "root": str(root), "limit": None, **options}


@pytest.mark.parametrize("kind", SUBJECT)
def test_subjects_of_a_data_set_are_counted_once(kind: str, tmp_path: Path) -> None:
    for number in range(1, 84):
        for pattern in (SUBJECT[kind], SECOND[kind]):
            path = tmp_path / pattern.format(name=f"sub-r{number:03d}", number=number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    assert subject_counts.subjects(cohort(kind, tmp_path)) == 83
    assert subject_counts.shards(cohort(kind, tmp_path)) == 3
    assert subject_counts.shards(cohort(kind, tmp_path, limit=5)) == 2


def test_phantoms_are_as_many_as_will_be_made() -> None:
    assert subject_counts.subjects({"kind": "phantom", "healthy": 70, "patients": 11}) == 81
    assert subject_counts.shards({"kind": "phantom", "healthy": 70, "patients": 11}) == 3
    assert subject_counts.subjects({"kind": "phantom", "healthy": 70, "patients": 11, "limit": 9}) == 9


def test_what_is_not_fetched_yet_is_known(tmp_path: Path) -> None:
    assert subject_counts.shards({"kind": "ixi", "download": True, "limit": None}) == 15


@pytest.mark.parametrize(("subjects", "shards"), [(0, 1), (1, 1), (2, 2), (80, 2), (81, 3), (1000, 25)])
def test_two_shards_or_one_for_every_forty(subjects: int, shards: int) -> None:
    assert subject_counts.shards({"kind": "phantom", "healthy": subjects, "patients": 0}) == shards


def test_links_to_folders_above_are_no_maze(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image.nii").touch()
        (tmp_path / name / "up").symlink_to(tmp_path)
        (tmp_path / name / "self").symlink_to(tmp_path / name)
    assert sorted(subject_counts.walk(str(tmp_path))) == [
        (str(tmp_path / name), ["image.nii"] * bool(name)) for name in ("", "a", "b")
    ]
