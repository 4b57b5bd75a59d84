from __future__ import annotations

from pathlib import Path

import pytest

from madad.core.errors import UserError
from madad.data.cohorts.finding.manifest_rows import read
from madad.data.cohorts.mslub import find
from tests.data.cohorts.small_cohorts import write_image
from tests.data.cohorts.small_trees import mslub, options_of
from tests.data.cohorts.test_public_layouts import read_kind

VALIDATION = {"01", "03", "05", "15", "17", "18", "20", "22", "28", "29"}


def test_the_published_patients_validate(tmp_path: Path) -> None:
    rows, _ = read_kind("mslub", mslub(tmp_path, 30))
    assert {row["subject"] for row in rows if row["split"] == "validation"} == {f"sub-{number}" for number in VALIDATION}
    assert sum(row["split"] == "test" for row in rows) == 20


@pytest.mark.parametrize(
    ("given", "validating"),
    [
        ({"splits": "random"}, 5),
        ({"patient_split": {"validation": 0.2, "test": 0.8}}, 2),
        ({"validation_patients": ["patient01"]}, 0),
        ({"validation_patients": ["02"]}, 1),
    ],
)
def test_another_split_can_be_asked_for(tmp_path: Path, given: dict, validating: int) -> None:
    rows, _ = read_kind("mslub", mslub(tmp_path, 10), **given)
    assert sum(row["split"] == "validation" for row in rows) == validating


def test_named_patients_that_are_not_there_are_said(tmp_path: Path) -> None:
    said = "\n".join(read(find, mslub(tmp_path, 10), options_of("mslub"), ["FLAIR"]).notes)
    assert "validation_patients: sub-15 is not a patient of this cohort" in said and "sub-01" not in said


def test_preprocessed_images_bring_masks_and_every_sequence(tmp_path: Path) -> None:
    rows, _ = read_kind("mslub", mslub(tmp_path, 1), "FLAIR", "T1w", "T1ce", "T2w")
    assert [Path(row["path"]).name[10:] for row in rows] == ["FLAIR.nii.gz", "T1WKS.nii.gz", "T1W.nii.gz", "T2W.nii.gz"]
    assert all("raw" not in row["path"] for row in rows)
    assert {Path(row["brain_mask"]).name for row in rows} == {"patient01_brainmask.nii.gz"}
    assert {Path(row["lesion_mask"]).name for row in rows} == {"patient01_consensus_gt.nii.gz"}


def test_raw_images_take_the_lesions_of_the_folder_above(tmp_path: Path) -> None:
    rows, _ = read_kind("mslub", mslub(tmp_path, 2), variant="raw")
    assert all(Path(row["path"]).parent.name == "raw" and row["lesion_mask"] for row in rows)


def test_a_lesion_mask_among_the_raw_images_is_the_nearest(tmp_path: Path) -> None:
    root = mslub(tmp_path, 1)
    own = write_image(root / "patient01" / "raw" / "patient01_consensus_gt.nii.gz", 5)
    assert read_kind("mslub", root, variant="raw")[0][0]["lesion_mask"] == str(own)


@pytest.mark.parametrize("variant", ["raw", "preprocessed"])
def test_the_layout_of_the_copy_on_github_is_read(tmp_path: Path, variant: str) -> None:
    folder = tmp_path / "cross_sectional" / ("raw" if variant == "raw" else "coregistered")
    for seed, name in enumerate(("FLAIR", "consensus_gt")):
        write_image(folder / "patient01" / f"{name}.nii.gz", seed)
    rows, _ = read_kind("mslub", tmp_path, variant=variant)
    assert rows[0]["subject"] == "sub-01" and rows[0]["lesion_mask"].endswith("consensus_gt.nii.gz")
    assert len(read_kind("mslub", folder, variant=variant)[0]) == 1


def test_one_patient_in_two_folders_is_refused(tmp_path: Path) -> None:
    for number, folder in enumerate(("coregistered", "coregistered_resampled")):
        write_image(tmp_path / folder / "patient01" / "FLAIR.nii.gz", number)
    with pytest.raises(UserError, match=r"sub-01 in .*coregistered/patient01 and in .*coregistered_resampled/patient01"):
        read_kind("mslub", tmp_path)


def test_a_variant_that_is_not_there_is_told(tmp_path: Path) -> None:
    write_image(tmp_path / "patient01" / "patient01_FLAIR.nii.gz", 1)
    with pytest.raises(UserError, match="of the variant raw"):
        read_kind("mslub", tmp_path, variant="raw")
