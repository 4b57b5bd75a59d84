"""Reading the images and masks of a session, with the errors that files can bring."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.errors import SubjectError
from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import session_images
from tests.data.preprocessing.conftest import QUICK, SyntheticHead, row, written


def test_a_bad_reference_mask_is_only_noted(head: SyntheticHead, tmp_path: Path) -> None:
    mask = written(tmp_path / "b.nii.gz", head.image.with_array(np.zeros(head.brain.shape, dtype=np.uint8)))
    loaded = session_images.load(row("sub-01", written(tmp_path / "t1.nii.gz", head.image), brain_mask=str(mask)), QUICK)
    assert loaded.given is None and "b.nii.gz" in loaded.notes[0]


def truncated(path: Path, head: SyntheticHead) -> None:
    written(path, head.image)
    path.write_bytes(path.read_bytes()[:5000])


def with_nan(path: Path, head: SyntheticHead) -> None:
    array = head.image.array.copy()
    array[5, 5, 5] = np.nan
    written(path, head.image.with_array(array))


def four_dimensional(path: Path, head: SyntheticHead) -> None:
    nib.save(nib.Nifti1Image(np.stack([head.image.array] * 2, axis=-1), head.image.affine), path)


def singular(path: Path, head: SyntheticHead) -> None:
    image = nib.Nifti1Image(head.image.array, None)
    image.header["sform_code"] = 1
    image.header["srow_x"], image.header["srow_y"], image.header["srow_z"] = (4, 0, 0, 0), (4, 0, 0, 0), (0, 0, 4, 0)
    nib.save(image, path)


def zeros(path: Path, head: SyntheticHead) -> None:
    written(path, head.image.with_array(head.image.array * 0))


def tiny(path: Path, head: SyntheticHead) -> None:
    nib.save(nib.Nifti1Image(head.image.array[20:28, 20:28, 30:38], head.image.affine), path)


@pytest.mark.parametrize("break_it", [truncated, with_nan, four_dimensional, singular, zeros, tiny], ids=lambda f: f.__name__)
def test_a_bad_image_is_named(head: SyntheticHead, tmp_path: Path, break_it: object) -> None:
    break_it(tmp_path / "bad.nii.gz", head)
    with pytest.raises(SubjectError, match=r"bad\.nii\.gz"):
        session_images.load(row("sub-01", tmp_path / "bad.nii.gz"), QUICK)


@pytest.mark.parametrize(
    ("array", "words"), [(np.zeros((52, 60, 66)), "is empty"), (np.arange(729).reshape(9, 9, 9) % 2, "not on the grid")]
)
def test_a_bad_lesion_mask_is_named(head: SyntheticHead, tmp_path: Path, array: np.ndarray, words: str) -> None:
    mask = tmp_path / "lesion.nii.gz"
    nib.save(nib.Nifti1Image(array.astype(np.uint8), head.image.affine), mask)
    known = row("sub-01", written(tmp_path / "t1.nii.gz", head.image), lesion_mask=str(mask))
    with pytest.raises(SubjectError, match=rf"lesion\.nii\.gz: the lesion mask .*{words}"):
        session_images.load(known, QUICK)


def test_frame_and_labels_of_the_manifest_are_used(head: SyntheticHead, tmp_path: Path) -> None:
    image = tmp_path / "4d.nii.gz"
    nib.save(nib.Nifti1Image(np.stack([head.image.array, 2 * head.image.array], axis=-1), head.image.affine), image)
    labels = np.zeros(head.brain.shape, dtype=np.uint8)
    labels[20:24, 20:24, 20:24], labels[30:34, 30:34, 30:34] = 1, 2
    lesion = written(tmp_path / "lesion.nii.gz", head.image.with_array(labels))
    known = row("sub-01", image, frame="1", lesion_mask=str(lesion), lesion_labels="2 4")
    loaded = session_images.load(known, QUICK)
    np.testing.assert_array_equal(loaded.image.array, 2 * head.image.array)
    np.testing.assert_array_equal(loaded.lesion.array, labels == 2)


@pytest.fixture
def two(head: SyntheticHead, tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two sequences on grids of their own, and a lesion mask on that of the second."""
    other = Volume(head.image.array[2:], head.image.affine)
    mask = other.with_array((other.array > 90).astype(np.uint8))
    files = (("t1", head.image), ("flair", other), ("lesion", mask))
    return tuple(written(tmp_path / f"{name}.nii.gz", volume) for name, volume in files)


def test_a_mask_goes_to_the_sequence_on_whose_grid_it_lies(two: tuple[Path, Path, Path]) -> None:
    t1, flair, lesion = two
    rows = [row("sub-01", t1, lesion_mask=str(lesion)), row("sub-01", flair, modality="FLAIR", lesion_mask=str(lesion))]
    assert [r["lesion_mask"] for r in session_images.with_own_masks(rows)] == ["", str(lesion)]
    rows[1]["lesion_mask"] = ""
    assert [r["lesion_mask"] for r in session_images.with_own_masks(rows)] == ["", str(lesion)]
    assert rows[0]["lesion_mask"] == str(lesion), "the manifest's own rows must stay as they are"


def test_a_mask_on_no_grid_stays_to_be_refused(two: tuple[Path, Path, Path], tmp_path: Path) -> None:
    t1, _, lesion = two
    alone = [row("sub-01", t1, lesion_mask=str(lesion))]
    (kept,) = session_images.with_own_masks(alone)
    with pytest.raises(SubjectError, match="not on the grid"):
        session_images.load(kept, QUICK)
    broken = [{**alone[0], "lesion_mask": str(tmp_path / "missing.nii.gz")}]
    assert session_images.with_own_masks(broken) == broken
