"""Files of BIDS data sets are found by their names, in any folder, and never by the label of their subject."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from madad.core.errors import UserError
from madad.data.cohorts.finding.bids_files import Subject, read_tree, subject_folders, walk

Root = Callable[..., Path]
MASKS = "derivatives/manual/sub-01/anat/sub-01_{}.nii.gz"


def tree(root: Path, *names: str, **options: object) -> dict[str, Subject]:
    """Files of the subjects of a tree of empty files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return read_tree(root, options).subjects


@pytest.mark.parametrize(
    "name", ["sub-01_T1w.nii", "sub-01_T1w.nii.gz", "sub-01_space-MNI_desc-brain_T1w.mgz", "sub-01_run-2_T1w.hdr"]
)
def test_images_are_found_under_any_entities(tmp_path: Path, name: str) -> None:
    (image,) = tree(tmp_path, f"sub-01/anat/{name}")["sub-01"].images
    assert (image.subject, image.session, image.modality, image.path.name) == ("sub-01", "", "T1w", name)


def test_sessions_come_from_names_or_folders(tmp_path: Path) -> None:
    found = tree(tmp_path, "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii", "sub-01/ses-b/anat/sub-01_T1w.nii")
    assert [image.session for image in found["sub-01"].images] == ["ses-a", "ses-b"]


@pytest.mark.parametrize("name", [".9-sub-01_T1w.nii.gz", "sub-02_T1w.nii", "sub-01_T1w.json.nii.bak", "sub-01.nii"])
def test_other_files_are_not_images(tmp_path: Path, name: str) -> None:
    assert tree(tmp_path, f"sub-01/anat/{name}")["sub-01"].images == []


@pytest.mark.parametrize("name", ["sub-02_T1w.nii", "sub-01_T1w_old.nii.gz", "T1.dcm", "sub-01_label-GM_probseg.nii.gz"])
def test_what_lies_in_the_folder_and_is_not_taken_is_named(tmp_path: Path, name: str) -> None:
    ((path, reason),) = tree(tmp_path, f"sub-01/anat/{name}")["sub-01"].others
    assert path.name == name and reason


@pytest.mark.parametrize(
    "name",
    [
        *("label-lesion_mask", "label-lesion_roi", "FLAIR_lesion-manual", "Lesion_mask", "lesionmask", "label-lesion_dseg"),
        *("space-MNI_label-L_desc-T1lesion_mask", "T1w_label-lesion", "lesion", "desc-tumor_mask", "label-WMH_mask"),
    ],
)
@pytest.mark.parametrize("folder", ["derivatives/manual/sub-01/anat", "sub-01/anat", "derivatives/a/b/sub-01/ses-1", "labels"])
def test_usual_names_of_lesion_masks_are_known_in_any_folder(tmp_path: Path, folder: str, name: str) -> None:
    found = tree(tmp_path, "sub-01/anat/sub-01_T1w.nii", f"{folder}/sub-01_{name}.nii.gz")["sub-01"]
    assert [path.name for path in found.lesion_masks] == [f"sub-01_{name}.nii.gz"]
    assert len(found.images) == 1 and found.brain_masks == []


@pytest.mark.parametrize(
    "name",
    [
        *(
            "desc-brain_mask",
            "brainmask",
            "label-WM_mask",
            "dseg",
            "desc-aseg_dseg",
            "label-GM_probseg",
            "mask",
            "desc-lesion_T1w",
        ),
        *("label-perilesion_mask", "desc-nonlesion_mask", "acq-lesion_mask", "T1w"),
    ],
)
def test_other_masks_are_no_lesion_masks(tmp_path: Path, name: str) -> None:
    assert tree(tmp_path, "sub-01/anat/x.json", MASKS.format(name))["sub-01"].lesion_masks == []


@pytest.mark.parametrize("label", ["lesion01", "stroke7", "tumor", "brainmask", "wmh"])
def test_the_label_of_a_subject_is_no_description(tmp_path: Path, label: str) -> None:
    name = f"sub-{label}"
    found = tree(
        tmp_path, f"{name}/anat/{name}_T1w.nii", f"derivatives/m/{name}/{name}_mask.nii", f"derivatives/m/{name}/{name}_dseg.nii"
    )[name]
    assert found.lesion_masks == found.brain_masks == [] and len(found.images) == 1


def test_a_mask_without_a_label_in_a_folder_of_lesions_is_one(tmp_path: Path) -> None:
    found = tree(
        tmp_path, "sub-01/x", "derivatives/lesions/sub-01/sub-01_mask.nii", "derivatives/lesions/sub-01/sub-01_label-GM_mask.nii"
    )
    assert [path.name for path in found["sub-01"].lesion_masks] == ["sub-01_mask.nii"]


def test_filters_choose_masks(tmp_path: Path) -> None:
    names = [MASKS.format("desc-manual_dseg"), MASKS.format("desc-aseg_dseg"), MASKS.format("label-lesion_mask")]
    found = tree(tmp_path, "sub-01/x", *names, filters={"lesion_mask": {"suffix": "dseg", "desc": "manual"}})
    assert [path.name for path in found["sub-01"].lesion_masks] == ["sub-01_desc-manual_dseg.nii.gz"]


def test_masks_of_subjects_without_a_folder_are_named_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "sub-001").mkdir()
    tree(tmp_path, "derivatives/lesions/sub-01/sub-01_label-lesion_mask.nii")
    ((path, reason),) = read_tree(tmp_path, {}).strangers
    assert path.name.startswith("sub-01_") and "did you mean 'sub-001'" in reason


def test_a_pattern_is_not_satisfied_by_the_label(tmp_path: Path) -> None:
    names = ("sub-lesion1/anat/sub-lesion1_T1w.nii", "derivatives/m/sub-lesion1/a/sub-lesion1_desc-brain_mask.nii")
    pattern = "derivatives/*/{subject}/**/*lesion*mask.nii*"
    assert tree(tmp_path, *names, lesion_masks=pattern)["sub-lesion1"].lesion_masks == []
    found = tree(tmp_path, "derivatives/m/sub-lesion1/a/b/sub-lesion1_lesion_mask.nii", lesion_masks=pattern)["sub-lesion1"]
    assert [path.name for path in found.lesion_masks] == ["sub-lesion1_lesion_mask.nii"]


def test_a_pattern_replaces_the_usual_names(tmp_path: Path) -> None:
    names = ["sub-01/x", MASKS.format("label-lesion_mask"), MASKS.format("seg")]
    found = tree(tmp_path, *names, lesion_masks="derivatives/*/{subject}/*/{subject}_seg.nii.gz")["sub-01"]
    assert [path.name for path in found.lesion_masks] == ["sub-01_seg.nii.gz"]


@pytest.mark.parametrize("pattern", ["/abs/{subject}/*", "{nobody}/*", "{"])
def test_bad_patterns_are_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UserError, match="lesion_masks: "):
        tree(tmp_path, "sub-01/x", lesion_masks=pattern)


def test_freesurfer_folders_are_read(tmp_path: Path) -> None:
    found = tree(tmp_path, *(f"sub-01/mri/{name}.mgz" for name in ("orig", "T1", "brainmask", "aseg", "FLAIR")))["sub-01"]
    assert [(image.modality, image.path.name) for image in found.images] == [("FLAIR", "FLAIR.mgz"), ("T1w", "orig.mgz")]
    assert [path.name for path in found.brain_masks] == ["brainmask.mgz"]
    assert {path.name for path, _ in found.others} == {"T1.mgz", "aseg.mgz"}


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root, disk = tmp_path / "root", tmp_path / "disk"
    (disk / "deep" / "sub-01").mkdir(parents=True)
    (disk / "deep" / "sub-01" / "sub-01_T1w.nii").touch()
    (root / "sub-02").mkdir(parents=True)
    (root / "sub-01").symlink_to(disk / "deep" / "sub-01")
    (root / "sub-02" / "anat").symlink_to(disk)
    (disk / "up").symlink_to(root)
    (disk / "deep" / "self").symlink_to(disk / "deep")
    found = {os.path.relpath(path, root) for path in walk(root)}
    assert {"sub-01/sub-01_T1w.nii", "sub-02/anat/deep/sub-01/sub-01_T1w.nii"} <= found
    assert len(found) < 10


def test_folders_that_are_no_labels_are_told_apart(tmp_path: Path) -> None:
    for name in ("sub-01", "sub-0_2", "sourcedata"):
        (tmp_path / name).mkdir()
    good, misnamed = subject_folders(tmp_path)
    assert ([p.name for p in good], [p.name for p in misnamed]) == (["sub-01"], ["sub-0_2"])


def test_a_root_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        subject_folders(tmp_path / "nowhere")


def test_a_root_without_subjects_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no subject folders"):
        subject_folders(tmp_path)
