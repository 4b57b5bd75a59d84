from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.errors import SubjectError
from madad.core.io.volumes import Volume, grid_difference, load_image, load_mask, save_volume

RAMP = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def write(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    image = nib.Nifti1Image(array, np.eye(4))
    if affine is not None:
        image.header["sform_code"], image.header["qform_code"] = 1, 0
        for row, name in enumerate(("srow_x", "srow_y", "srow_z")):
            image.header[name] = affine[row]
        image.header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
        image = nib.Nifti1Image(array, None, image.header)
    nib.save(image, path)
    return path


def test_saved_volume_comes_back(tmp_path: Path) -> None:
    volume = Volume(RAMP, np.diag([2.0, 3.0, 4.0, 1.0]))
    save_volume(tmp_path / "new" / "a.nii.gz", volume)
    back = load_image(tmp_path / "new" / "a.nii.gz")
    assert np.array_equal(back.array, RAMP) and back.spacing_mm == (2, 3, 4) and back.voxel_ml == pytest.approx(0.024)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.nii.gz"]


def test_trailing_axis_of_length_one_is_dropped(tmp_path: Path) -> None:
    assert load_image(write(tmp_path / "a.nii", RAMP[..., None])).array.shape == (2, 3, 4)


def bad_nan(folder: Path) -> Path:
    array = RAMP.copy()
    array[0, 0, :2] = np.nan
    return write(folder / "a.nii.gz", array)


def bad_4d(folder: Path) -> Path:
    return write(folder / "a.nii.gz", np.ones((2, 3, 4, 5), dtype=np.float32))


def bad_constant(folder: Path) -> Path:
    return write(folder / "a.nii.gz", np.zeros((2, 3, 4), dtype=np.float32))


def bad_truncated(folder: Path) -> Path:
    noise = np.random.default_rng(0).standard_normal((20, 20, 20)).astype(np.float32)
    path = write(folder / "a.nii.gz", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def bad_short(folder: Path) -> Path:
    path = write(folder / "b.nii", RAMP)
    (folder / "a.nii.gz").write_bytes(gzip.compress(path.read_bytes()[:-16]))
    return folder / "a.nii.gz"


def bad_affine(folder: Path) -> Path:
    return write(folder / "a.nii.gz", RAMP, np.diag([1.0, 0.0, 1.0, 1.0]))


def bad_text(folder: Path) -> Path:
    (folder / "a.nii.gz").write_text("not an image")
    return folder / "a.nii.gz"


def bad_missing(folder: Path) -> Path:
    return folder / "a.nii.gz"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (bad_nan, "2 of 24 voxels are NaN"),
        (bad_4d, r"shape \(2, 3, 4, 5\)"),
        (bad_constant, "empty"),
        (bad_truncated, "truncated or damaged"),
        (bad_short, "truncated or damaged"),
        (bad_affine, "singular"),
        (bad_text, "not a readable NIfTI"),
        (bad_missing, "no such file"),
    ],
)
def test_bad_image_is_refused_by_name(tmp_path: Path, make, says: str) -> None:
    path = make(tmp_path)
    with pytest.raises(SubjectError, match=says) as caught:
        load_image(path)
    assert str(path) in str(caught.value)


def test_mask_is_binary(tmp_path: Path) -> None:
    mask = load_mask(write(tmp_path / "m.nii.gz", RAMP))
    assert mask.array.dtype == np.uint8 and mask.array.sum() == 23


def test_empty_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match="lesion mask is empty"):
        load_mask(write(tmp_path / "m.nii.gz", 0 * RAMP), name="lesion mask")


@pytest.mark.parametrize(
    ("array", "affine", "says"), [(RAMP[:, :2], np.eye(4), "shape"), (RAMP, np.diag([1, 1, 2, 1.0]), "affines")]
)
def test_mask_on_another_grid_is_refused(tmp_path: Path, array: np.ndarray, affine: np.ndarray, says: str) -> None:
    grid = Volume(RAMP, np.eye(4))
    with pytest.raises(SubjectError, match=f"not on the grid.*{says}"):
        load_mask(write(tmp_path / "m.nii.gz", array, affine), grid)


def test_grids_within_tolerance_are_one() -> None:
    nudged = np.eye(4)
    nudged[0, 3] = 5e-4
    assert grid_difference(Volume(RAMP, np.eye(4)), Volume(RAMP, nudged)) is None
