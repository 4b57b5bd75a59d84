"""Images of FreeSurfer and pairs of files are read as nibabel reads them, or refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.errors import SubjectError
from madad.core.io.volumes import load_image, load_mask
from tests.odd_files import AFFINE, IMAGE


def mgh(path: Path, dtype: type = np.int16, affine: np.ndarray = AFFINE) -> Path:
    nib.save(nib.MGHImage(IMAGE.astype(dtype), affine), path)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
@pytest.mark.parametrize("name", ["sub-01_T1w.mgz", "sub-01_T1w.mgh"])
def test_freesurfer_images_are_read_as_nibabel_reads_them(tmp_path: Path, name: str, dtype: type) -> None:
    path = mgh(tmp_path / name, dtype)
    expected, found = nib.load(path), load_image(path)
    np.testing.assert_array_equal(found.array, expected.get_fdata())
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-4)


def test_a_tail_of_tags_is_passed_by(tmp_path: Path) -> None:
    path = mgh(tmp_path / "a.mgz")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"\0\0\0\x14" * 500))
    assert load_image(path).array.shape == IMAGE.shape


def changed(path: Path, place: int, what: bytes) -> Path:
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[place : place + len(what)] = what
    path.write_bytes(gzip.compress(bytes(content)))
    return path


@pytest.mark.parametrize(
    ("place", "what", "problem"),
    [
        (28, b"\0\0", "does not say which side is left"),
        (0, b"\0\0\0\x07", "not a readable FreeSurfer image"),
        (20, b"\0\0\0\x63", "not a readable FreeSurfer image"),
        (30, b"\0" * 4, "singular"),
        (4, b"\0\0\x4e\x20", "truncated or damaged"),
    ],
)
def test_headers_without_one_meaning_are_refused(tmp_path: Path, place: int, what: bytes, problem: str) -> None:
    path = changed(mgh(tmp_path / "a.mgz"), place, what)
    with pytest.raises(SubjectError, match=problem) as caught:
        load_image(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_freesurfer_image_cut_short_is_refused(tmp_path: Path) -> None:
    path = mgh(tmp_path / "a.mgh")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(SubjectError, match="truncated"):
        load_image(path)


def test_names_and_contents_must_agree(tmp_path: Path) -> None:
    plain = mgh(tmp_path / "a.mgh").rename(tmp_path / "a.mgz")
    with pytest.raises(SubjectError, match=r"not gzipped, against its name; rename it to end in \.mgh"):
        load_image(plain)
    nib.save(nib.Nifti1Image(IMAGE, AFFINE), tmp_path / "b.nii.gz")
    with pytest.raises(SubjectError, match="not a readable FreeSurfer image"):
        load_image((tmp_path / "b.nii.gz").rename(tmp_path / "b.mgz"))


def pair(folder: Path) -> Path:
    """Write a pair with a scale and an offset of the voxels."""
    image = nib.Nifti1Pair(IMAGE, AFFINE)
    image.header.set_qform(AFFINE, 1)
    image.header.set_xyzt_units("mm")
    nib.save(image, folder / "sub-01_T1w.img")
    return folder / "sub-01_T1w.hdr"


def test_pairs_are_read_by_their_header(tmp_path: Path) -> None:
    path = pair(tmp_path)
    found = load_image(path)
    np.testing.assert_array_equal(found.array, IMAGE)
    np.testing.assert_allclose(found.affine, AFFINE, atol=1e-4)
    assert load_mask(path, found).array.sum() == IMAGE.astype(bool).sum()


def test_a_header_without_its_voxels_is_refused(tmp_path: Path) -> None:
    path = pair(tmp_path)
    path.with_suffix(".img").unlink()
    with pytest.raises(SubjectError, match=r"there is no sub-01_T1w\.img"):
        load_image(path)


def test_voxels_cut_short_are_refused(tmp_path: Path) -> None:
    path = pair(tmp_path)
    path.with_suffix(".img").write_bytes(path.with_suffix(".img").read_bytes()[:50])
    with pytest.raises(SubjectError, match="truncated or damaged"):
        load_image(path)


def test_one_file_named_as_a_header_is_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(IMAGE, AFFINE), tmp_path / "a.nii")
    with pytest.raises(SubjectError, match=r"in one file; rename it to end in \.nii"):
        load_image((tmp_path / "a.nii").rename(tmp_path / "a.hdr"))
