from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.errors import SubjectError
from madad.data.cohorts.finding.bids_files import read_tree
from madad.data.cohorts.finding.mask_files import best_mask, grid_of, shows_something
from tests.data.cohorts.small_cohorts import t1w, write_image


def mask_for(root: Path, image: int = 0) -> str:
    subject = read_tree(root, {}).subjects["sub-01"]
    found = subject.images[image]
    return best_mask(subject.brain_masks, found, grid_of(found.path))


def test_the_mask_on_the_images_grid_is_taken(bids_root: Callable[..., Path]) -> None:
    root = bids_root(*t1w("01"))
    write_image(root / "derivatives/a/sub-01/anat/sub-01_brainmask.nii.gz", 1, affine=np.diag([2.0, 2, 2, 1]))
    right = write_image(root / "derivatives/b/sub-01/anat/sub-01_desc-brain_mask.nii.gz", 2)
    assert mask_for(root) == str(right)


def test_a_mask_on_no_grid_is_still_listed(bids_root: Callable[..., Path]) -> None:
    root = bids_root(*t1w("01"))
    wrong = write_image(root / "derivatives/a/sub-01/sub-01_brainmask.nii", 1, shape=(3, 3, 3))
    assert mask_for(root) == str(wrong)


def test_an_unreadable_mask_is_still_listed(bids_root: Callable[..., Path]) -> None:
    root = bids_root(*t1w("01"))
    path = root / "derivatives/a/sub-01/sub-01_brainmask.nii.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no image")
    assert mask_for(root) == str(path)


def test_the_sessions_own_mask_is_preferred_and_anothers_refused(bids_root: Callable[..., Path]) -> None:
    root = bids_root(*(f"sub-01/ses-{s}/anat/sub-01_ses-{s}_T1w.nii.gz" for s in "ab"))
    own = write_image(root / "derivatives/m/sub-01/ses-a/sub-01_ses-a_brainmask.nii", 1)
    assert (mask_for(root, 0), mask_for(root, 1)) == (str(own), "")


def test_no_mask_is_empty(bids_root: Callable[..., Path]) -> None:
    assert mask_for(bids_root(*t1w("01"))) == ""


def test_grid_of_a_frame_is_that_of_a_volume(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nii.gz", 1, shape=(4, 5, 6, 3))
    assert grid_of(path, "2").array.shape == (4, 5, 6)
    with pytest.raises(SubjectError, match="frame 3"):
        grid_of(path, "3")


def test_the_mask_of_another_run_or_space_is_not_taken(bids_root: Callable[..., Path]) -> None:
    root = bids_root("sub-01/anat/sub-01_run-1_T1w.nii.gz", "sub-01/anat/sub-01_run-2_T1w.nii.gz")
    own = write_image(root / "sub-01/anat/sub-01_run-1_desc-brain_mask.nii.gz", 1)
    assert (mask_for(root, 0), mask_for(root, 1)) == (str(own), "")


def test_of_twins_the_one_in_the_images_space_is_taken(bids_root: Callable[..., Path]) -> None:
    root = bids_root(*t1w("01"))
    write_image(root / "sub-01/anat/sub-01_space-MNI_desc-brain_mask.nii.gz", 1)
    own = write_image(root / "sub-01/anat/sub-01_desc-brain_mask.nii.gz", 2)
    assert mask_for(root) == str(own)


@pytest.mark.parametrize(("value", "shown"), [(0, False), (1, True), (-0.0, False), (0.5, True)])
def test_an_all_zero_mask_shows_nothing(tmp_path: Path, value: float, shown: bool) -> None:
    array = np.zeros((4, 4, 4), np.float32 if isinstance(value, float) else np.uint8)
    array[2, 2, 2] = value
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "mask.nii.gz")
    assert shows_something(tmp_path / "mask.nii.gz") is shown


def test_a_mask_that_cannot_be_read_is_not_known_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "mask.nii.gz").write_bytes(b"no image")
    assert shows_something(tmp_path / "mask.nii.gz")
