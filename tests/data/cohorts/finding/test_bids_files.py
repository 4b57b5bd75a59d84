from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from madad.core.errors import UserError
from madad.data.cohorts.finding.bids_files import images_of, mask_candidates, subject_folders


@pytest.mark.parametrize(
    "name", ["sub-01_T1w.nii", "sub-01_T1w.nii.gz", "sub-01_space-MNI_desc-brain_T1w.nii.gz", "sub-01_run-2_T1w.nii"]
)
def test_images_are_found_under_any_entities(bids_root: Callable[..., Path], name: str) -> None:
    (image,) = images_of(bids_root(f"sub-01/anat/{name}") / "sub-01")
    assert (image.subject, image.session, image.modality, image.path.name) == ("sub-01", "", "T1w", name)


def test_sessions_come_from_names_or_folders(bids_root: Callable[..., Path]) -> None:
    root = bids_root("sub-01/ses-a/anat/sub-01_ses-a_T1w.nii", "sub-01/ses-b/anat/sub-01_T1w.nii")
    assert [image.session for image in images_of(root / "sub-01")] == ["ses-a", "ses-b"]


@pytest.mark.parametrize("name", [".9-sub-01_T1w.nii.gz", "sub-02_T1w.nii", "sub-01_T1w.json.nii.bak", "sub-01.nii"])
def test_other_files_are_not_images(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub-01" / "anat").mkdir(parents=True)
    (tmp_path / "sub-01" / "anat" / name).touch()
    assert images_of(tmp_path / "sub-01") == []


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


@pytest.mark.parametrize("pattern", ["/abs/{subject}/*", "{nobody}/*"])
def test_bad_patterns_are_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UserError, match="mask pattern"):
        mask_candidates(tmp_path, pattern, "sub-01")
