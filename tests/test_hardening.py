"""Properties of reading: whatever is in a file, its voxels end up in the right place, or the file is refused by name.

The phantom has another value in every voxel, so that every voxel can be looked for in space.
"""

from __future__ import annotations

import gzip
import itertools
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madad.core.errors import SubjectError
from madad.core.io.volumes import load_image, load_mask
from madad.data.preprocessing.steps.orientation import to_ras
from tests.odd_files import file_bytes, header_of, write

SHAPE = (4, 5, 6)
VALUES = np.random.default_rng(7).permutation(np.prod(SHAPE)).reshape(SHAPE)
# The 48 ways to order and flip three axes, as nibabel writes them.
ORIENTATIONS = [
    np.array(list(zip(order, flips, strict=True)), dtype=float)
    for order in itertools.permutations(range(3))
    for flips in itertools.product((1, -1), repeat=3)
]
DTYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]
MOST_MEMORY = 30e6
often = settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
seldom = settings(often, max_examples=80)


@dataclass(frozen=True)
class Odd:
    """What a file is to be like.

    Attributes:
        affine: where its voxels lie, by the transform that counts.
        other: how the other transform relates to it: the same, mirrored, swapped, turned or scaled.
        frames: volumes in the file, and the one that is meant; the others hold nothing of the phantom.
    """

    affine: np.ndarray
    orientation: np.ndarray
    other: str
    codes: tuple[int, int]
    dtype: str
    order: str
    version: int
    slope: float
    inter: float
    frames: tuple[int, int | None]
    packed: bool


def rotation(angles: list[float]) -> np.ndarray:
    """About the three axes, in degrees."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(angles)):
        matrix = matrix @ nib.quaternions.angle_axis2mat(angle, np.eye(3)[axis])
    return matrix


@st.composite
def affines(draw: st.DrawFn) -> np.ndarray:
    """Rotated by less than 40 degrees in all, with voxels from 0.2 to 20 mm."""
    matrix = np.eye(4)
    angles = draw(st.lists(st.floats(-12, 12), min_size=3, max_size=3))
    spacing = draw(st.lists(st.sampled_from([0.2, 0.9375, 1.0, 2.0, 20.0]), min_size=3, max_size=3))
    matrix[:3, :3] = rotation(angles) * spacing
    matrix[:3, 3] = draw(st.lists(st.floats(-500, 500), min_size=3, max_size=3))
    return matrix


ODD = st.builds(
    Odd,
    affine=affines(),
    orientation=st.sampled_from(ORIENTATIONS),
    other=st.sampled_from(["same", "same", "mirrored", "swapped", "turned", "scaled"]),
    codes=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    dtype=st.sampled_from(DTYPES),
    order=st.sampled_from("<>"),
    version=st.sampled_from([1, 2]),
    slope=st.sampled_from([0.0, 1.0, -2.0, 0.001, 1000.0, float("nan")]),
    inter=st.sampled_from([0.0, -50.0, 1e6]),
    frames=st.sampled_from([(1, None), (1, 0), (3, 0), (3, 2)]),
    packed=st.booleans(),
)


def related(affine: np.ndarray, how: str) -> np.ndarray:
    """Another opinion on where the voxels lie."""
    change = np.eye(4)
    if how == "mirrored":
        change[0, 0] = -1
    elif how == "swapped":
        change[:3, :3] = np.eye(3)[[1, 2, 0]]
    elif how == "turned":
        change[:3, :3] = rotation([4, 5, 6])
        change[:3, 3] = [9, -4, 30]
    elif how == "scaled":
        change[:3, :3] *= 1.2
    return change @ affine


def make(odd: Odd, folder: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """Write the file. Returns its path, the affine of its sform and that of its qform."""
    stored = nib.apply_orientation(VALUES, odd.orientation)
    sform = odd.affine @ nib.orientations.inv_ornt_aff(odd.orientation, VALUES.shape)
    # a quaternion cannot shear, and a scaled head is that of the template: the qform is the patient's
    qform = related(sform, odd.other)
    stored = (stored - 60 * (odd.dtype == "i1")).astype(odd.dtype)
    count, frame = odd.frames
    if frame is not None:
        frames = np.zeros((*stored.shape, count), dtype=odd.dtype)
        frames[..., frame] = stored
        stored = frames
    header = header_of(stored, order=odd.order, version=odd.version)
    header.set_qform(qform, odd.codes[0])
    header.set_sform(sform, odd.codes[1])
    header["scl_slope"], header["scl_inter"] = odd.slope, odd.inter
    name = f"a.nii{'.gz' if odd.packed else ''}"
    return write(folder / name, file_bytes(header, stored)), qform, sform


def wanted_affine(odd: Odd, qform: np.ndarray, sform: np.ndarray) -> np.ndarray | None:
    """Where the voxels lie by the standard; None where the file says nothing or contradicts itself."""
    has_qform, has_sform = odd.codes[0] > 0, odd.codes[1] > 0
    if not (has_qform or has_sform):
        return None
    if not has_sform:
        return qform
    if odd.other == "scaled":
        return qform if has_qform and odd.codes[1] in (3, 4, 5) else None
    if has_qform and odd.other in ("mirrored", "swapped"):
        return None
    spacing = np.linalg.norm(sform[:3, :3], axis=0)
    # the voxel sizes of the header are those of the qform, also where its code is 0
    return sform if np.allclose(spacing, np.linalg.norm(qform[:3, :3], axis=0), rtol=0.005) else None


def places(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """World positions of the voxels in the order of their values."""
    index = np.argsort(array, axis=None)
    return nib.affines.apply_affine(affine, np.array(np.unravel_index(index, array.shape)).T)


@often
@given(odd=ODD)
def test_every_voxel_is_in_its_place_or_the_file_is_refused(tmp_path: Path, odd: Odd) -> None:
    path, qform, sform = make(odd, tmp_path)
    wanted = wanted_affine(odd, qform, sform)
    try:
        ras = to_ras(load_image(path, odd.frames[1]))
    except SubjectError as error:
        assert wanted is None and str(error).startswith(f"{path}: "), error
        return
    assert wanted is not None, "a file that says nothing of its orientation, or two things, was taken"
    slope, inter = (1.0, 0.0) if odd.slope == 0 or np.isnan(odd.slope) else (odd.slope, odd.inter)
    first = -60 * (odd.dtype == "i1")
    expected = np.sort((np.arange(VALUES.size) + first) * slope + inter)
    np.testing.assert_allclose(np.sort(ras.array, axis=None), expected, rtol=1e-6, atol=1e-4)
    stored = nib.apply_orientation(VALUES, odd.orientation)
    atol = 1e-4 * max(1.0, np.abs(wanted).max())
    if len(np.unique(ras.array)) == VALUES.size:  # 1000000 and 0.001 are one in float32
        np.testing.assert_allclose(places(ras.array, ras.affine), places(np.sign(slope) * stored, wanted), atol=atol)
    assert (np.argmax(np.abs(ras.affine[:3, :3] / np.linalg.norm(ras.affine[:3, :3], axis=0)), axis=0) == [0, 1, 2]).all()
    assert (np.diag(ras.affine)[:3] > 0).all()


@pytest.mark.parametrize("index", range(48))
def test_each_of_the_48_orientations_is_read_as_nibabel_reads_it(tmp_path: Path, index: int) -> None:
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[:3, 3] = [-30, 10, 5]
    odd = Odd(affine, ORIENTATIONS[index], "same", (1, 1), "i2", "<", 1, 1.0, 0.0, (1, None), True)
    path, _, _ = make(odd, tmp_path)
    ours, theirs = to_ras(load_image(path)), nib.as_closest_canonical(nib.load(path))
    assert np.array_equal(ours.array, theirs.get_fdata()) and np.allclose(ours.affine, theirs.affine, atol=1e-5)
    assert np.array_equal(ours.array, VALUES)


@seldom
@given(odd=ODD, flipped=st.integers(0, 2))
def test_mask_is_on_the_grid_of_its_image_or_refused(tmp_path: Path, odd: Odd, flipped: int) -> None:
    plain = Odd(odd.affine, odd.orientation, "same", (1, 1), "i2", odd.order, odd.version, 1.0, 0.0, (1, None), odd.packed)
    path, _, sform = make(plain, tmp_path)
    image = load_image(path)
    mask = (image.array > 60).astype(np.uint8)
    same = write(tmp_path / "mask.nii", file_bytes(header_of(mask, sform, order=odd.order), mask))
    assert np.array_equal(load_mask(same, image).array, mask)
    flip = np.eye(4)
    flip[flipped, flipped] = -1
    other = write(tmp_path / "mask.nii", file_bytes(header_of(mask, sform @ flip), mask))
    with pytest.raises(SubjectError, match="not on the grid"):
        load_mask(other, image)


# --- damage ----------------------------------------------------------------------------------------------------------

SOUND = file_bytes(header_of(VALUES.astype("i2")), VALUES.astype("i2"))
PACKED = gzip.compress(SOUND, mtime=0)
LARGE = np.random.default_rng(0).integers(0, 30000, (20, 20, 20)).astype("i2")
LARGE_PACKED = gzip.compress(file_bytes(header_of(LARGE), LARGE), mtime=0)


def read_or_refuse(path: Path) -> np.ndarray | None:
    """Return the voxels, or None if the file is refused by name; nothing else may happen, nor may memory grow."""
    tracemalloc.start()
    try:
        return load_image(path).array
    except SubjectError as error:
        assert str(error).startswith(f"{path}: ")
        return None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MOST_MEMORY, "a header was believed before the file was measured"


@seldom
@given(changes=st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_header(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    content = bytearray(SOUND)
    for place, byte in changes:
        content[place] = byte
    array = read_or_refuse(write(tmp_path / "a.nii", bytes(content)))
    assert array is None or (array.size == VALUES.size and np.isfinite(array).all())


@pytest.mark.parametrize("bit", [0, 6, 7])
def test_no_single_bit_of_a_header_is_fatal(tmp_path: Path, bit: int) -> None:
    path = tmp_path / "a.nii"
    for place in range(352):
        content = bytearray(SOUND)
        content[place] ^= 1 << bit
        path.write_bytes(content)
        try:
            assert load_image(path).array.size == VALUES.size
        except SubjectError as error:
            assert str(error).startswith(f"{path}: ")


@often
@given(place=st.integers(0, len(LARGE_PACKED) - 1), change=st.integers(1, 255), cut=st.booleans())
def test_damaged_gzip_is_refused_or_makes_no_difference(tmp_path: Path, place: int, change: int, cut: bool) -> None:
    content = bytearray(LARGE_PACKED)
    content[place] ^= change
    (tmp_path / "a.nii.gz").write_bytes(content[:place] if cut else content)
    array = read_or_refuse(tmp_path / "a.nii.gz")
    assert array is None or np.array_equal(array, LARGE)
    assert array is None or not cut


@pytest.mark.parametrize("place", range(40))
def test_damaged_start_of_a_gzip(tmp_path: Path, place: int) -> None:
    for change in (1, 2, 4, 8, 16, 32, 64, 128):
        content = bytearray(PACKED)
        content[place] ^= change
        (tmp_path / "a.nii.gz").write_bytes(content)
        array = read_or_refuse(tmp_path / "a.nii.gz")
        assert array is None or np.array_equal(array, VALUES)


@seldom
@given(content=st.binary(max_size=2000), name=st.sampled_from(["a.nii", "a.nii.gz"]), packed=st.booleans())
def test_any_bytes_are_refused(tmp_path: Path, content: bytes, name: str, packed: bool) -> None:
    (tmp_path / name).write_bytes(gzip.compress(content, 1) if packed else content)
    assert read_or_refuse(tmp_path / name) is None


@pytest.mark.parametrize("esize", [0, 7, 32, -1, 2**31 - 1])
def test_extension_of_absurd_size_is_passed_by(tmp_path: Path, esize: int) -> None:
    header = header_of(VALUES.astype("i2"))
    header["vox_offset"] = 384
    content = bytearray(file_bytes(header, VALUES.astype("i2")))
    content[348:352] = b"\1\0\0\0"
    content[352:356] = esize.to_bytes(4, "little", signed=True)
    assert np.array_equal(read_or_refuse(write(tmp_path / "a.nii.gz", bytes(content))), VALUES)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_promised_gigabytes_take_no_memory(tmp_path: Path, name: str) -> None:
    header = header_of(VALUES.astype("i2"))
    header["dim"][1:4] = 900
    assert read_or_refuse(write(tmp_path / name, file_bytes(header, VALUES.astype("i2")))) is None


def test_packed_zeros_are_not_unpacked_for_ever(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(SOUND + b"\0" * 50_000_000, 1))
    assert read_or_refuse(tmp_path / "a.nii.gz") is None
