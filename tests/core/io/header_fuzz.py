"""Files whose headers are wrong in one or several ways, and what reading each of them must not do.

`python -m tests.core.io.header_fuzz 10000` reads ten thousand of them and prints how many were read rightly, refused, or read
wrongly without a word.

The right values are worked out here from the bytes, not by the code under test: positions by nibabel's own arithmetic of
quaternions and rows, values by the definition of slope and intercept.
"""

from __future__ import annotations

import contextlib
import gzip
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

from madad.core.errors import SubjectError
from madad.core.io.volumes import load_image
from madad.data.preprocessing.steps import orientation

DTYPES = (np.uint8, np.int16, np.int32, np.float32, np.float64, np.uint16, np.int8, np.int64)
AXES = ("RAS", "LAS", "LPS", "PSR", "ARS", "RSA", "IPL", "SAR")


@dataclass
class Case:
    """One file: its stored numbers, its header, and why it must be refused, if it must.

    Attributes:
        rng: source of all choices.
        stored: numbers as stored, (I, J, K).
        header: NIfTI header that is changed.
        changes: what was done to it.
        refuse: the changes that leave the file without one meaning.
        shape: dimensions that the header states, if not those of the numbers.
        tail: bytes after the numbers, or, if negative, bytes cut off.
    """

    rng: np.random.Generator
    stored: np.ndarray
    header: nib.Nifti1Header
    changes: list[str] = field(default_factory=list)
    refuse: list[str] = field(default_factory=list)
    tail: int = 0

    def must_fail(self, why: str) -> None:
        """Record that the file has no meaning, whatever else is changed."""
        self.refuse.append(why)

    def without_meaning(self) -> list[str]:
        """Return why the file must be refused, also by what several changes together make of the header."""
        coded = [form for form in ("qform", "sform") if int(self.header[f"{form}_code"]) > 0]
        rows = np.array([self.header[f"srow_{axis}"] for axis in "xyz"], dtype=float)
        lost = "sform" in coded and (not np.isfinite(rows).all() or abs(np.linalg.det(rows[:, :3])) < 1e-9)
        slope, inter = float(self.header["scl_slope"]), float(self.header["scl_inter"])
        unscaled = slope == 0 or np.isnan(slope) or (np.isfinite(slope) and np.isfinite(inter))
        faults = {"no transform": not coded, "sform": lost, "scale": not unscaled, "values": not np.isfinite(self.stored).all()}
        return [*self.refuse, *(name for name, there in faults.items() if there)]


def fresh(rng: np.random.Generator) -> Case:
    """Return a sound file with random shape, axes, voxel size, byte order, version and type."""
    shape = tuple(int(n) for n in rng.integers(4, 11, 3))
    dtype = np.dtype(rng.choice(np.array(DTYPES, dtype=object)))
    stored = rng.integers(0, 100, shape).astype(dtype)
    kind = nib.Nifti1Header if rng.random() < 0.8 else nib.Nifti2Header
    header = kind(endianness=str(rng.choice(["<", ">"])))
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    code = str(rng.choice(AXES))
    spacing = rng.uniform(0.5, 5, 3)
    affine = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt(code), shape)[:3, :3] * spacing
    turned = _turn(rng, 20.0) @ affine
    whole = np.eye(4)
    whole[:3, :3], whole[:3, 3] = turned, rng.uniform(-120, 120, 3)
    header.set_qform(whole, code=int(rng.integers(1, 6)))
    header.set_sform(whole, code=int(rng.integers(1, 6)))
    header.set_xyzt_units("mm", str(rng.choice(["unknown", "sec", "msec"])))
    return Case(rng, stored, header)


def _turn(rng: np.random.Generator, most_degrees: float) -> np.ndarray:
    angle, axis = np.deg2rad(rng.uniform(0, most_degrees)), rng.normal(size=3)
    return nib.quaternions.angle_axis2mat(angle, axis)


def one_transform(case: Case) -> None:
    case.header[f"{case.rng.choice(['qform', 'sform'])}_code"] = 0


def no_transform(case: Case) -> None:
    case.header["qform_code"] = case.header["sform_code"] = 0


def negative_codes(case: Case) -> None:
    case.header["sform_code"] = -int(case.rng.integers(1, 3))


def another_sform(case: Case) -> None:
    """Turn, mirror, scale or shift the sform against the qform."""
    affine = case.header.get_sform()
    how = str(case.rng.choice(["shift", "mirror", "turn", "scale", "swap"]))
    if how == "shift":
        affine[:3, 3] += case.rng.uniform(-50, 50, 3)
    elif how == "mirror":
        axis = int(case.rng.integers(3))
        affine[:3, axis] *= -1
    elif how == "turn":
        affine[:3, :3] = _turn(case.rng, 180.0) @ affine[:3, :3]
    elif how == "scale":
        affine[:3, :3] *= case.rng.choice([0.1, 0.9, 1.005, 1.2, 10])
    else:
        affine[:3, :2] = affine[:3, 1::-1]
    case.header["srow_x"], case.header["srow_y"], case.header["srow_z"] = affine[:3]
    case.changes.append(how)


def broken_sform(case: Case) -> None:
    row = str(case.rng.choice(["srow_x", "srow_y", "srow_z"]))
    case.header[row] = float(case.rng.choice([0, np.nan, np.inf]))


def far_away(case: Case) -> None:
    case.header["srow_x"][3] = case.header["qoffset_x"] = 1e7


def odd_pixdim(case: Case) -> None:
    axis = int(case.rng.integers(0, 4))
    case.header["pixdim"][axis] = case.rng.choice([0, -1, np.nan, np.inf, 1e-12, 1000, 3])


def odd_quaternion(case: Case) -> None:
    case.header[str(case.rng.choice(["quatern_b", "quatern_c", "quatern_d"]))] = case.rng.choice([2, -2, np.nan, np.inf, 0.3])


def odd_scale(case: Case) -> None:
    slope = float(case.rng.choice([0, 1, -1, 2.5, 1e-3, np.nan, np.inf, 1e38]))
    inter = float(case.rng.choice([0, -1024, 10, np.nan, np.inf]))
    case.header["scl_slope"], case.header["scl_inter"] = slope, inter


def other_units(case: Case) -> None:
    unit = int(case.rng.choice([0, 1, 2, 3]))
    case.header["xyzt_units"] = unit + int(case.rng.choice([0, 8, 16]))
    if unit in (1, 3):
        case.must_fail("units")


def wrong_dims(case: Case) -> None:
    """State one voxel more or less along an axis than there are."""
    axis = int(case.rng.integers(1, 4))
    case.header["dim"][axis] += int(case.rng.choice([-1, 1]))
    case.must_fail("dim")


def impossible_dims(case: Case) -> None:
    axis = int(case.rng.integers(0, 4))
    case.header["dim"][axis] = int(case.rng.choice([0, -1, -5])) if axis else int(case.rng.choice([0, -1, 8, 1]))
    case.must_fail("dim")


def more_axes(case: Case) -> None:
    """Add axes of one voxel, which mean nothing, or of more."""
    axes = int(case.rng.integers(4, 8))
    extra = [1] * (axes - 3)
    if case.rng.random() < 0.5:
        extra[int(case.rng.integers(len(extra)))] = 2
        case.must_fail("several volumes")
    case.header["dim"] = [axes, *case.stored.shape, *extra, *[1] * (7 - axes)]


def one_slice(case: Case) -> None:
    """Store one slice, as an image of two or of three axes."""
    case.stored = np.ascontiguousarray(case.stored[:, :, :1])
    case.header["dim"] = [int(case.rng.choice([2, 3])), *case.stored.shape, 1, 1, 1, 1]


def other_type(case: Case) -> None:
    code = int(case.rng.choice([0, 1, 32, 128, 255, 1536, 1792, 2304, 9999]))
    case.header["datatype"] = code
    case.must_fail("datatype")


def other_width(case: Case) -> None:
    wider = {1: 16, 2: 2, 4: 4, 8: 16}[case.stored.dtype.itemsize]
    if nib.Nifti1Header.get_data_dtype(_typed(case, wider)).itemsize != case.stored.dtype.itemsize:
        case.must_fail("width")


def _typed(case: Case, code: int) -> nib.Nifti1Header:
    case.header["datatype"] = code
    return case.header


def odd_values(case: Case) -> None:
    if case.stored.dtype.kind == "f":
        case.stored.ravel()[int(case.rng.integers(case.stored.size))] = case.rng.choice([np.nan, np.inf, -np.inf])


def cut_off(case: Case) -> None:
    case.tail = -int(case.rng.integers(1, case.stored.nbytes))
    case.must_fail("cut off")


def irrelevant(case: Case) -> None:
    """Change fields that have no say about voxels."""
    case.header["descrip"] = case.rng.bytes(20)
    case.header["cal_max"], case.header["slice_code"], case.header["intent_code"] = 12, 3, 0
    case.header["dim_info"] = int(case.rng.integers(0, 64))


def inner_offset(case: Case) -> None:
    case.header["vox_offset"] = float(case.rng.choice([-1, 1, 100, 351.5]))
    case.must_fail("vox_offset")


CHANGES: tuple[Callable[[Case], None], ...] = (
    *(one_transform, no_transform, negative_codes, another_sform, another_sform, broken_sform, far_away, odd_pixdim, odd_pixdim),
    *(odd_quaternion, odd_scale, odd_scale, other_units, wrong_dims, impossible_dims, more_axes, one_slice, other_type),
    *(other_width, odd_values, cut_off, irrelevant, irrelevant, inner_offset),
)


# Two of these together may make a file that is sound again.
SIZES = (wrong_dims, impossible_dims, more_axes, one_slice, other_width, cut_off)


def drawn(seed: int) -> Case:
    """Return a file with none to three changes."""
    rng = np.random.default_rng([17, seed])
    case = fresh(rng)
    for change in rng.choice(np.array(CHANGES, dtype=object), int(rng.integers(0, 4)), replace=False):
        if change in SIZES and not {size.__name__ for size in SIZES}.isdisjoint(case.changes):
            continue
        case.changes.append(change.__name__)
        change(case)
    return case


def write(case: Case, folder: Path) -> Path:
    """Write the file, gzipped or not."""
    header = case.header
    start = 352 if isinstance(header, nib.Nifti1Header) and int(header["sizeof_hdr"]) == 348 else 544
    if "inner_offset" not in case.changes:
        header["vox_offset"] = start
    voxels = case.stored.astype(case.stored.dtype.newbyteorder(header.endianness)).tobytes(order="F")
    raw = header.binaryblock.ljust(start, b"\0") + voxels
    raw = raw[: len(raw) + case.tail] if case.tail < 0 else raw
    zipped = bool(case.rng.random() < 0.5)
    path = folder / ("case.nii.gz" if zipped else "case.nii")
    path.write_bytes(gzip.compress(raw, 1) if zipped else raw)
    return path


def fault(case: Case, path: Path) -> str:
    """Return how a file was read wrongly without a word; "read" or "refused" if it was not."""
    try:
        image = load_image(path)
    except SubjectError as error:
        return "refused" if case.changes or path.name in str(error) else f"sound file refused: {error}"
    if why := case.without_meaning():
        return f"read although {', '.join(why)}"
    if image.array.shape != case.stored.shape:
        return f"shape {image.array.shape} instead of {case.stored.shape}"
    if not np.allclose(image.array, _values(case), rtol=1e-5, atol=1e-5):
        return "values"
    return _place_fault(case, image.affine) or _ras_fault(image) or "read"


def _values(case: Case) -> np.ndarray:
    slope, inter = float(case.header["scl_slope"]), float(case.header["scl_inter"])
    scaled = slope != 0 and np.isfinite(slope)
    return (case.stored.astype(float) * slope + inter if scaled else case.stored).astype(np.float32)


def _place_fault(case: Case, affine: np.ndarray) -> str:
    """Return what is wrong with the place of the voxels, by the transforms that the header has."""
    header = case.header
    known = {}
    if int(header["qform_code"]) > 0 and np.isfinite(header["pixdim"][:4]).all() and (header["pixdim"][1:4] > 0).all():
        with contextlib.suppress(ValueError, nib.spatialimages.HeaderDataError):
            known["qform"] = header.get_qform()
    if int(header["sform_code"]) > 0:
        known["sform"] = header.get_sform()
    # A quaternion near half a turn is known to about 1e-4 in single precision.
    size = float(np.linalg.norm(affine[:3, :3], axis=0).max())
    if not any(np.allclose(affine, one, atol=1e-3 * max(1, size)) for one in known.values()):
        return "an affine that the header does not give"
    if len(known) == 2:
        first, second = (one[:3, :3] / np.linalg.norm(one[:3, :3], axis=0) for one in known.values())
        if np.linalg.det(first) * np.linalg.det(second) < 0 or (first * second).sum(axis=0).min() < 0.68:
            return "left and right by one of two transforms that disagree"
    axes = min(int(header["dim"][0]), 3)
    sizes = np.abs(np.asarray(header["pixdim"][1 : axes + 1], dtype=float))
    found = np.linalg.norm(affine[:3, :3], axis=0)[:axes]
    if np.isfinite(sizes).all() and sizes.min() > 0 and not np.allclose(found, sizes, rtol=0.011):
        return f"voxels of {found} mm against pixdim {sizes}"
    return ""


def _ras_fault(image: object) -> str:
    """Return whether reordering to RAS moved a voxel in space."""
    turned = orientation.to_ras(image)  # ty: ignore[invalid-argument-type]
    if nib.aff2axcodes(turned.affine) != ("R", "A", "S"):
        return "axes after reordering"
    index = np.argwhere(np.ones(turned.array.shape))[::7]
    world = np.c_[index, np.ones(len(index))] @ turned.affine.T
    back = np.rint(world @ np.linalg.inv(image.affine).T)[:, :3].astype(int)  # ty: ignore[unresolved-attribute]
    same = turned.array[tuple(index.T)] == image.array[tuple(back.T)]  # ty: ignore[unresolved-attribute]
    return "" if same.all() else "voxels moved by reordering"


def run(seeds: range, folder: Path) -> dict[str, list[int]]:
    """Return the seeds of the files by outcome."""
    found: dict[str, list[int]] = {}
    for seed in seeds:
        case = drawn(seed)
        path = write(case, folder)
        found.setdefault(fault(case, path), []).append(seed)
        path.unlink()
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        outcome = run(range(int(sys.argv[1])), Path(place))
    for name, count in Counter({name: len(seeds) for name, seeds in outcome.items()}).most_common():
        print(count, name, outcome[name][:5] if name not in ("read", "refused") else "")
