"""Every kind of bad input, how to create it, and the message it must cause: the path, the problem and the remedy."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from madad.core.errors import SubjectError, UserError
from madad.core.io.volumes import Volume, load_image, load_mask
from madad.data.cohorts import bids
from madad.data.cohorts.finding.manifest_rows import read
from madad.data.preprocessing.steps import orientation
from tests.odd_files import AFFINE, IMAGE, file_bytes, header_of, odd, write

NAME = "sub-01_T1w.nii.gz"
DICOM = b"\0" * 128 + b"DICM" + b"\x02\0\0\0UL\x04\0" + b"\0" * 600
MASK = (IMAGE > 100).astype(np.uint8)
GRID = Volume(IMAGE, AFFINE)
MIRRORED = AFFINE * [[-1, -1, -1, -1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
SWAPPED = AFFINE[:, [1, 0, 2, 3]]
MGH = struct.pack(">7ih", 1, 5, 6, 7, 1, 3, 0, 1) + b"\0" * 700


def content(what: bytes, name: str = NAME) -> Callable[[Path], Path]:
    """Write a file of these bytes, not gzipped."""

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(what)
        return folder / name

    return make


def packed(what: bytes) -> Callable[[Path], Path]:
    return content(gzip.compress(what))


def fields(array: np.ndarray = IMAGE, affine: np.ndarray = AFFINE, **values) -> Callable[[Path], Path]:
    """Write a file with an odd header."""
    return lambda folder: odd(folder / NAME, array, affine, **values)


def missing(folder: Path) -> Path:
    return folder / NAME


def dead_link(folder: Path) -> Path:
    (folder / NAME).symlink_to("../.git/annex/objects/Xx/MD5E-s1.nii.gz")
    return folder / NAME


def folder_of_that_name(folder: Path) -> Path:
    (folder / NAME).mkdir()
    return folder / NAME


def damaged(change: Callable[[bytearray], bytes]) -> Callable[[Path], Path]:
    """Write a valid gzipped file whose bytes are changed."""
    noise = np.random.default_rng(0).integers(0, 30000, (12, 13, 14), dtype=np.int16)
    return content(change(bytearray(gzip.compress(file_bytes(header_of(noise), noise)))))


def flipped(stream: bytearray) -> bytes:
    stream[len(stream) // 2] ^= 16
    return stream


def wrong_checksum(stream: bytearray) -> bytes:
    stream[-8] ^= 1
    return stream


def text_mode(header: bytes) -> bytes:
    """Return a NIfTI-2 header after a transfer in text mode."""
    return header.replace(b"\r\n", b"\n")


def with_values(array: np.ndarray, values: dict) -> np.ndarray:
    array = array.copy()
    for index, value in values.items():
        array[index] = value
    return array


def shear(amount: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[0, 1] = amount
    return matrix


def shifted(mm: float) -> np.ndarray:
    affine = AFFINE.copy()
    affine[0, 3] += mm
    return affine


def unknown_type(folder: Path) -> Path:
    """Write a header with an unknown code of the data type."""
    stream = bytearray(SOUND)
    stream[70:72] = b"\x07\0"
    return packed(stream)(folder)


def forms(folder: Path, qform: np.ndarray | None, sform: np.ndarray | None) -> Path:
    """Write a file whose qform and sform may differ."""
    header = header_of(IMAGE)
    header.set_sform(AFFINE if sform is None else sform, int(sform is not None))
    if qform is None:
        header["qform_code"] = 0
    return write(folder / NAME, file_bytes(header, IMAGE))


SOUND = file_bytes(header_of(IMAGE), IMAGE)
SOUND_2 = file_bytes(header_of(IMAGE, version=2), IMAGE)
FLOATS = IMAGE.astype(np.float32)

IMAGES = {
    # no image at all
    "missing file": (missing, "no such file"),
    "dead link of DataLad": (dead_link, r"a link to \.\./\.git/annex/objects/.*datalad get"),
    "folder": (folder_of_that_name, "a folder, not a file"),
    "empty file": (content(b""), "it is empty or cut off; copy it again"),
    "empty gzip": (packed(b""), "it is empty or cut off; copy it again"),
    "web page": (content(b"\n<!DOCTYPE html><title>403</title>"), "a web page.*download the file again"),
    "text": (content(b"not an image"), "not a readable NIfTI file.*copy or convert"),
    "Git LFS pointer": (content(b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS.*git lfs pull"),
    "git-annex pointer": (content(b"/annex/objects/MD5E-s1--0.nii.gz\n"), "git-annex.*datalad get"),
    # another format under the name of NIfTI
    "DICOM": (content(DICOM), "a DICOM file; convert the folder with dcm2niix.*dcm2bids"),
    "gzipped DICOM": (packed(DICOM), "a DICOM file.*dcm2niix"),
    "zip": (content(b"PK\x03\x04" + b"\0" * 30), "a zip archive; unpack it"),
    "tar in gzip": (packed(b"a.nii".ljust(257, b"\0") + b"ustar" + b"\0" * 300), "a tar archive; unpack it"),
    "bzip2": (content(b"BZh91AY&SY"), "a bzip2 archive; unpack it"),
    "NRRD": (content(b"NRRD0004\ntype: short\n"), "an NRRD image; convert it"),
    "MetaImage": (content(b"ObjectType = Image\n"), "a MetaImage; convert it"),
    "MINC": (content(b"\x89HDF\r\n\x1a\n"), "a MINC image; convert it with mnc2nii"),
    "MGZ": (packed(MGH), "a FreeSurfer image; convert it with mri_convert"),
    "ANALYZE": (fields(magic=b""), "ANALYZE 7.5.*does not tell left from right.*dcm2niix"),
    "NIfTI pair": (fields(magic=b"ni1"), r"pair of files \(\.hdr and \.img\); join them"),
    # damaged on the way
    "plain NIfTI named .gz": (content(SOUND), r"not gzipped, against its name; rename it to end in \.nii"),
    "gzip named .nii": (content(gzip.compress(SOUND), "a.nii"), r"gzipped, against its name; rename it to end in \.nii\.gz"),
    "half a gzip": (damaged(lambda stream: stream[: len(stream) // 2]), "truncated or damaged.*copy it again"),
    "few bytes of a gzip": (damaged(lambda stream: stream[:60]), "cut off; copy it again"),
    "one bit flipped in a gzip": (damaged(flipped), "truncated or damaged.*copy it again"),
    "wrong checksum": (damaged(wrong_checksum), "truncated or damaged.*CRC.*copy it again"),
    "garbage after a gzip": (damaged(lambda stream: stream + b"garbage" * 99), "truncated or damaged.*copy it again"),
    "short .nii": (content(SOUND[:-16], "a.nii"), r"announces 772 bytes, the file has 756: it is truncated"),
    "short inside a gzip": (packed(SOUND[:-16]), "ends before its last voxel.*copy it again"),
    "more voxels than announced": (packed(SOUND + SOUND), r"772 bytes follow the \(5, 6, 7\) voxels.*convert again"),
    "only a header": (packed(SOUND[:348]), "ends before its last voxel"),
    "half a header": (packed(SOUND[:100]), "no NIfTI header at its start"),
    "transfer in text mode": (packed(text_mode(SOUND_2)), "no NIfTI header at its start.*copy"),
    "header size of another byte order": (fields(sizeof_hdr=349), "header is damaged or cut off; copy it again"),
    # absurd numbers in the header
    "no axes": (fields(dim=[0, 5, 6, 7, 1, 1, 1, 1]), "dimensions.*no image"),
    "nine axes": (fields(dim=[9, 5, 6, 7, 1, 1, 1, 1]), "dimensions.*no image"),
    "an axis of length 0": (fields(dim=[3, 5, 0, 7, 1, 1, 1, 1]), "dimensions.*no image"),
    "a negative axis": (fields(dim=[3, 5, -6, 7, 1, 1, 1, 1]), "dimensions.*no image"),
    "terabytes": (fields(dim=[3, 30000, 30000, 30000, 1, 1, 1, 1]), "too many for a head.*convert again"),
    "gigabytes in a small file": (fields(dim=[3, 900, 900, 900, 1, 1, 1, 1]), "announces 1458000352 bytes.*copy it again"),
    "several frames": (fields(np.stack([IMAGE] * 3, axis=-1)), r"shape \(5, 6, 7, 3\).*3D volume.*name its frame"),
    "vectors": (fields(np.stack([IMAGE] * 3, axis=-1)[:, :, :, None]), r"shape \(5, 6, 7, 1, 3\).*3D volume"),
    "unknown data type": (unknown_type, "unknown data type 7; convert"),
    "complex numbers": (fields(IMAGE.astype(np.complex64)), "complex numbers; store their magnitude"),
    "colours": (fields(datatype=128), "colours; store one grey value"),
    "voxels inside the header": (fields(vox_offset=10), "vox_offset is 10, inside the header"),
    "voxels nowhere": (fields(vox_offset=np.nan), "vox_offset is nan"),
    "voxels behind the end": (fields(vox_offset=1e9), "announces 1000000420 bytes.*copy it again"),
    "infinite slope": (fields(scl_slope=np.inf), "scl_slope is inf.*repair the header"),
    "intercept NaN": (fields(scl_slope=1, scl_inter=np.nan), "scl_inter nan.*repair the header"),
    "micrometres": (fields(xyzt_units=3), "lengths in micrometres.*xyzt_units to mm"),
    "metres": (fields(xyzt_units=1), "lengths in metres.*xyzt_units to mm"),
    # no place, or two places, in space
    "no orientation": (fields(qform_code=0, sform_code=0), "does not say which side is left.*check"),
    "mirrored sform": (lambda folder: forms(folder, AFFINE, MIRRORED), "axes run to LSA, by its sform to RSA.*tools disagree"),
    "axes swapped in the sform": (lambda folder: forms(folder, AFFINE, SWAPPED), "by its sform to SLA.*find out which is right"),
    "two voxel sizes": (lambda folder: forms(folder, AFFINE, AFFINE @ np.diag([2, 2, 2, 1])), "by the sform, but .* by pixdim"),
    "singular sform": (fields(qform_code=0, srow_z=0), "sform is singular.*repair the header"),
    "sheared flat": (lambda folder: forms(folder, None, AFFINE @ shear(9.0)), "sform is singular.*repair"),
    "sform NaN": (fields(srow_x=np.nan), "sform is singular or not finite.*repair"),
    "origin off the planet": (fields(srow_x=[-1, 0, 0, 1e12]), r"1e\+12 mm off the origin"),
    "voxel size 0": (fields(sform_code=0, pixdim=[1, 0, 2, 3, 0, 0, 0, 0]), "qform has voxels of 0 x 2 x 3 mm.*above 0"),
    "negative voxel size": (fields(sform_code=0, pixdim=[1, 1, -2, 3, 0, 0, 0, 0]), "voxels of 1 x -2 x 3 mm.*above 0"),
    "voxel size NaN": (fields(sform_code=0, pixdim=[1, np.nan, 2, 3, 0, 0, 0, 0]), "voxels of nan x 2 x 3 mm.*above 0"),
    "quaternion too long": (fields(sform_code=0, quatern_b=3), "quaternion of length.*at most 1"),
    "qfac 7": (fields(sform_code=0, pixdim=[7, 1, 2, 3, 0, 0, 0, 0]), "qfac 7.*qfac 1 or -1"),
    # nothing to see
    "all zero": (fields(0 * IMAGE), "every voxel has the value 0; the image is empty"),
    "constant": (fields(0 * IMAGE + 9), "every voxel has the value 9; the image is empty"),
    "one bright voxel": (
        fields(with_values(np.zeros((20, 20, 20), np.int16), {(3, 4, 5): 99})),
        "all but 1 of 8000 voxels.*almost empty",
    ),
    "some NaN": (fields(with_values(FLOATS, {(0, 0): np.nan})), "7 of 210 voxels are NaN or infinite; export"),
    "all NaN": (fields(FLOATS * np.nan), "210 of 210 voxels are NaN"),
    "infinite voxel": (fields(with_values(FLOATS, {(0, 0, 0): np.inf})), "1 of 210 voxels are NaN or infinite"),
    "beyond float32": (fields(IMAGE.astype(np.float64) * 1e300), "209 of 210 voxels are too large for float32"),
    "beyond float32 by the slope": (fields(scl_slope=3e38), "voxels are too large for float32; export"),
}

MASKS = {
    "empty mask": (fields(0 * MASK), "lesion mask is empty; delete the file.*or replace it by the right mask"),
    "full mask": (fields(0 * MASK + 1), "lesion mask marks every voxel; a mask is 0 outside"),
    "mask with NaN": (fields(with_values(MASK.astype(np.float32), {(0, 0, 0): np.nan})), "holds NaN.*0 outside and 1 inside"),
    "mask below 0": (fields(-MASK.astype(np.int16)), "values below 0, down to -1; a mask is 0 outside"),
    "probabilities": (fields((IMAGE / 209).astype(np.float32)), "probability map.*threshold it"),
    "mask of another shape": (fields(MASK[:-1]), r"shape \(4, 6, 7\) instead of \(5, 6, 7\)\); resample it"),
    "mask of mirrored affine": (fields(MASK, MIRRORED), r"not on the grid.*affines differ.*resample it"),
    "mask half a voxel off": (
        fields(MASK, shifted(0.5)),
        "a corner lies 0.5 mm away.*resample it",
    ),
    "mask with frames": (fields(np.stack([MASK] * 2, axis=-1)), r"shape \(5, 6, 7, 2\).*3D volume"),
    "damaged mask": (damaged(flipped), "truncated or damaged.*copy it again"),
}


READ = {"group": "auto", "split": {"train": 1.0}, "patient_split": {"test": 1.0}, "split_seed": 0, "limit": None}


def data_set(
    name: str = "sub-01/anat/sub-01_T1w.nii.gz", what: bytes = b"", people: bytes | None = None
) -> Callable[[Path], Path]:
    """Write a folder with one file and perhaps a table of participants."""

    def make(folder: Path) -> Path:
        path = folder / "a set" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(what or gzip.compress(SOUND))
        if people is not None:
            (folder / "a set" / "participants.tsv").write_bytes(people)
        return folder / "a set"

    return make


def table_is_a_folder(folder: Path) -> Path:
    root = data_set()(folder)
    (root / "participants.tsv").mkdir()
    return root


def table_is_a_dead_link(folder: Path) -> Path:
    root = data_set()(folder)
    (root / "participants.tsv").symlink_to(".git/annex/objects/gone.tsv")
    return root


FOLDERS = {
    "no such root": (lambda folder: folder / "a set", "is not a folder; set it to where the data set lies"),
    "a file as root": (lambda folder: content(b"zip", "a set")(folder), "is not a folder"),
    "empty root": (lambda folder: folder, "holds no subject folders.*set it to the top of a BIDS data set"),
    "DICOM folder as root": (data_set("series 1/IM0001", DICOM), "no subject folders.*a DICOM file.*dcm2niix.*dcm2bids"),
    "DICOM of a subject": (data_set("sub-01/anat/IM0001", DICOM), "no NIfTI images at all.*IM0001: a DICOM file.*dcm2niix"),
    "NRRD of a subject": (data_set("sub-01/anat/a.nrrd", b"NRRD0004"), "no NIfTI images at all.*NRRD.*SimpleITK"),
    "images of no subject": (data_set("anat/T1w.nii.gz"), "holds no subject folders.*set it to the top"),
    "another sequence": (data_set("sub-01/anat/sub-01_T2w.nii.gz"), "no subject has a T1w image; found are T2w"),
    "nothing that can be read": (data_set(what=b"<html>"), "no usable image; .*sub-01_T1w.nii.gz.*a web page"),
    "table in Latin-1": (data_set(people="participant_id\tsite\n01\tKöln\n".encode("latin-1")), "not UTF-8 text.*save it again"),
    "table of Excel": (data_set(people=b"PK\x03\x04\x14\x00\x8c\xff"), "not UTF-8 text.*save it again"),
    "table in UTF-16": (data_set(people="participant_id\n01\n".encode("utf-16")), "not UTF-8 text.*save it again"),
    "table with spaces": (data_set(people=b"participant_id\tage\n01 30\n"), "line 2: the number of fields.*by tabs"),
    "table without ids": (data_set(people=b"id\n01\n"), "no column participant_id; give the first column that name"),
    "folder as table": (table_is_a_folder, "cannot be read as a table.*replace it by tab-separated text"),
    "table of one endless line": (
        data_set(people=b"participant_id\n" + b"x" * 200_000),
        "cannot be read as a table.*replace it by tab-separated text",
    ),
    "table as a link to nothing": (table_is_a_dead_link, "participants.tsv: no such file"),
    "table not fetched": (data_set(people=b"/annex/objects/MD5E-s9.tsv\n"), "git-annex.*datalad get"),
}


def as_cases(table: dict) -> list:
    return [pytest.param(*row, id=name) for name, row in table.items()]


def check(says: str, path: Path, caught: pytest.ExceptionInfo) -> None:
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and re.search(says, message), message


@pytest.mark.parametrize(("make", "says"), as_cases(IMAGES))
def test_bad_image_is_refused(tmp_path: Path, make, says: str) -> None:
    path = make(tmp_path)
    with pytest.raises(SubjectError) as caught:
        load_image(path)
    check(says, path, caught)


@pytest.mark.parametrize(("make", "says"), as_cases(MASKS))
def test_bad_mask_is_refused(tmp_path: Path, make, says: str) -> None:
    path = make(tmp_path)
    with pytest.raises(SubjectError) as caught:
        load_mask(path, GRID, "lesion mask")
    check(says, path, caught)


@pytest.mark.parametrize(("make", "says"), as_cases(FOLDERS))
def test_bad_data_set_is_refused(tmp_path: Path, make, says: str) -> None:
    root = make(tmp_path)
    with pytest.raises(UserError) as caught:
        read(bids.find, root, READ, ["T1w"])
    assert str(root) in str(caught.value) and re.search(says, str(caught.value)), str(caught.value)


def test_labels_that_no_voxel_has_are_named(tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match=r"lesion mask is empty \(none of the labels 3, 4 is in it\)"):
        load_mask(odd(tmp_path / NAME, MASK), GRID, "lesion mask", labels=(3, 4))


@pytest.mark.parametrize("frame", [3, -1])
def test_frame_that_is_not_there_is_named(tmp_path: Path, frame: int) -> None:
    with pytest.raises(SubjectError, match=f"frame {frame} is asked for, but the file holds 3"):
        load_image(odd(tmp_path / NAME, np.stack([IMAGE] * 3, axis=-1)), frame)


@pytest.mark.parametrize(("scale", "says"), [(0.001, "field of view is 0 x 0 x 0 mm"), (1e3, "field of view is 5000 x")])
def test_what_is_no_head_is_refused(tmp_path: Path, scale: float, says: str) -> None:
    path = odd(tmp_path / NAME, affine=AFFINE @ np.diag([scale, scale, scale, 1]))
    with pytest.raises(SubjectError) as caught:
        orientation.check_extent(load_image(path), str(path))
    check(says, path, caught)


def test_one_slice_is_read_and_is_no_head(tmp_path: Path) -> None:
    path = odd(tmp_path / NAME, IMAGE[:, :, :1], AFFINE @ np.diag([40, 40, 3, 1]))
    image = load_image(path)
    assert image.array.shape == (5, 6, 1)
    with pytest.raises(SubjectError, match="field of view"):
        orientation.check_extent(image, str(path))


def test_forbidden_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_, **__) -> None:
        raise PermissionError(13, "Permission denied")

    path = odd(tmp_path / NAME)
    monkeypatch.setattr("builtins.open", forbid)
    with pytest.raises(SubjectError, match=r"cannot be read \(Permission denied\); check permissions"):
        load_image(path)


def test_there_are_many_kinds() -> None:
    assert len(IMAGES) + len(MASKS) + len(FOLDERS) >= 100
