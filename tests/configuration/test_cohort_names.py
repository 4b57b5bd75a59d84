"""What file names tell before a run: editions, sequences, and folders that hold something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from madad.configuration import cohort_cards, cohort_names
from tests.data.cohorts.small_trees import TREES, options_of

KINDS = sorted(TREES)


def cohort(kind: str, root: Path, **given: object) -> dict:
    return {"download": False, "variant": None, **options_of(kind, **given), "kind": kind, "root": str(root)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_data_set_of_its_kind_has_no_problem_and_its_sequences(kind: str, tmp_path: Path) -> None:
    found = cohort(kind, TREES[kind](tmp_path / "data"))
    assert list(cohort_names.problems("cohorts.x", found)) == []
    assert set(cohort_names.sequences(found) or ()) == set(cohort_cards.card(kind)["modalities"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_something_else_is_refused_with_an_example(kind: str, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "scan.nii.gz").write_bytes(b"")
    (problem,) = cohort_names.problems("cohorts.x", cohort(kind, tmp_path))
    assert "cohorts.x.root: " in problem and cohort_names.example(kind) in problem and "http" in problem


def test_a_variant_that_is_not_there_is_refused(tmp_path: Path) -> None:
    root = TREES["wmh"](tmp_path)
    for folder in root.rglob("orig"):
        folder.rename(folder.with_name("kept"))
    (problem,) = cohort_names.problems("c", cohort("wmh", root, variant="raw"))
    assert "no images of the variant raw named like Utrecht/0/pre/FLAIR.nii.gz or Utrecht/0/orig/FLAIR.nii.gz" in problem
    assert list(cohort_names.problems("c", cohort("wmh", root))) == []


def test_only_the_archives_that_are_there_count(tmp_path: Path) -> None:
    folder = tmp_path / "IXI-PD"
    folder.mkdir()
    (folder / "IXI012-HH-1211-PD.nii.gz").write_bytes(b"")
    assert cohort_names.sequences(cohort("ixi", tmp_path)) == ["PDw"]


def test_sequences_of_bids_are_suffixes(tmp_path: Path) -> None:
    anat = tmp_path / "sub-01" / "ses-1" / "anat"
    anat.mkdir(parents=True)
    for name in ("T1w.nii.gz", "ce-gd_T1w.nii.gz", "acq-x_UNIT1.nii", "T2starw.nii.gz", "PDw.mgz", "FLAIR.json"):
        (anat / f"sub-01_ses-1_{name}").write_bytes(b"")
    (tmp_path / "derivatives" / "a" / "sub-01").mkdir(parents=True)
    (tmp_path / "derivatives" / "a" / "sub-01" / "sub-01_label-lesion_mask.nii.gz").write_bytes(b"")
    assert cohort_names.sequences(cohort("bids", tmp_path)) == ["PDw", "T1ce", "T1w", "T2starw", "UNIT1"]


def test_sequences_of_freesurfer_are_its_fixed_names(tmp_path: Path) -> None:
    (tmp_path / "sub-01" / "mri").mkdir(parents=True)
    for name in ("T1.mgz", "FLAIR.mgz", "aseg.mgz"):
        (tmp_path / "sub-01" / "mri" / name).write_bytes(b"")
    assert cohort_names.sequences(cohort("bids", tmp_path)) == ["FLAIR", "T1w"]


def test_a_folder_without_images_tells_nothing(tmp_path: Path) -> None:
    assert cohort_names.sequences(cohort("bids", tmp_path)) is None
