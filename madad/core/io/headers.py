"""Strict reading of the headers of NIfTI files, alone (.nii, .nii.gz) or in pairs (.hdr with the voxels in .img).

Readers of NIfTI files guess where a header makes no sense, each in its own way: nibabel sets a voxel size of 0 to 1, assumes that
an image of unknown orientation is radiological, and accepts negative voxel sizes. Here a header has one meaning, or is refused.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.quaternions import quat2mat
from nibabel.spatialimages import HeaderDataError

from madad.core.errors import SubjectError
from madad.core.io import file_types

# Largest number of voxels of a frame (a cube of 1024): the finest whole heads, 0.1 mm post mortem, have about as many.
MOST_VOXELS = 2**30
# Deflate compresses at most 1032 bytes into one (zlib's manual); a header that announces more is wrong.
DEFLATE_RATIO = 1040
# Voxel sizes from two fields of a header agree when they differ by no more than this share.
SPACING_TOLERANCE = 0.01
# Smallest determinant of the directions of the voxels' axes; 1 is orthogonal, a gantry tilted by 30 degrees has 0.87.
SMALLEST_DETERMINANT = 0.5
# A coordinate system whose origin is further away than this is refused.
LARGEST_OFFSET_MM = 1e5
# Sforms of these codes (Talairach, MNI152, other template) map to a template, where a millimetre is not one of the patient.
TEMPLATE_CODES = (3, 4, 5)
UNITS = {1: "metres", 3: "micrometres"}
MAGIC = {b"n+1\0": 348, b"ni1\0": 348, b"n+2\0\r\n\x1a\n": 540, b"ni2\0\r\n\x1a\n": 540}
REPAIR = "repair the header (nibabel: set_sform and set_qform) after checking left and right in a viewer, or convert again"


@dataclass(frozen=True)
class Header:
    """Everything needed to read the voxels of a file.

    Attributes:
        shape: number of voxels along three axes or more; (I, J, 1) for a two-dimensional image.
        dtype: data type of a stored voxel, with its byte order.
        offset: byte of the decompressed file where the voxels begin.
        slope: factor of the stored values.
        inter: number added to the scaled values.
        affine: voxel index to RAS+ world coordinates in mm, (4, 4).
        compressed: whether the file with the voxels is gzipped.
        voxels: the file with the voxels, where it is another one than that of the header.
        has_tail: whether something other than voxels may follow them.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int
    slope: float
    inter: float
    affine: np.ndarray
    compressed: bool
    voxels: Path | None = None
    has_tail: bool = False

    @property
    def frame_bytes(self) -> int:
        """Bytes of one 3D image."""
        return math.prod(self.shape[:3]) * self.dtype.itemsize

    @property
    def total_bytes(self) -> int:
        """Bytes of the decompressed file up to its last voxel."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize

    @property
    def slack_bytes(self) -> int:
        """Bytes of padding that may follow the voxels: fewer than would be left if any dimension were wrong by one."""
        return math.prod(sorted(self.shape[:3])[:2]) * self.dtype.itemsize


def read_header(path: str | Path) -> Header:
    """Read and check the header of a NIfTI-1 or NIfTI-2 file of either byte order.

    Raises:
        SubjectError: no readable NIfTI file, or its header has no meaning or an ambiguous one.
    """
    start, compressed = file_types.start_of(path)
    voxels = Path(path).with_suffix(".img") if str(path).lower().endswith(".hdr") else None
    raw = _parse(path, start, paired=voxels is not None)
    check_name(path, compressed, ".nii.gz", ".nii" if voxels is None else ".hdr")
    if voxels is not None and not voxels.is_file():
        raise SubjectError(f"{path}: there is no {voxels.name} with its voxels; copy both files of the pair")
    shape, dtype = _shape(path, raw), _dtype(path, raw)
    unit = UNITS.get(int(raw["xyzt_units"]) & 7)
    if unit:
        raise SubjectError(
            f"{path}: the header gives lengths in {unit}, which some tools honour and others ignore; "
            "store them in millimetres and set xyzt_units to mm"
        )
    offset = _offset(path, raw, least=0 if voxels else int(raw["sizeof_hdr"]) + 4)
    header = Header(shape, dtype, offset, *_scale(path, raw), _affine(path, raw), compressed, voxels)
    check_size(path, header)
    return header


def _parse(path: str | Path, start: bytes, paired: bool) -> nib.Nifti1Header:
    kind = file_types.kind_of(start)
    if kind:
        raise SubjectError(f"{path}: not a readable NIfTI file but {kind.name}; {kind.remedy}")
    if not start:
        raise SubjectError(f"{path}: not a readable NIfTI file, it is empty or cut off; copy it again")
    magic = next((word for word in MAGIC if word in (start[344:348], start[4:12])), None)
    if magic is None:
        raise SubjectError(f"{path}: not a readable NIfTI file (no NIfTI header at its start); copy or convert it again")
    if magic.startswith(b"ni") != paired:
        if paired:
            raise SubjectError(f"{path}: header and voxels are in one file; rename it to end in .nii")
        raise SubjectError(
            f"{path}: the header of a pair of files (.hdr and .img); join them to one .nii.gz, for example with nibabel "
            "or `fslchfiletype NIFTI_GZ`, or give the header its name back"
        )
    size = MAGIC[magic]
    orders = [order for order in ("little", "big") if start[:4] == size.to_bytes(4, order)]
    if not orders or len(start) < size:
        raise SubjectError(f"{path}: not a readable NIfTI file, its header is damaged or cut off; copy it again")
    make = nib.Nifti1Header if size == 348 else nib.Nifti2Header
    return make(start[:size], "<" if orders[0] == "little" else ">", check=False)


def check_name(path: str | Path, compressed: bool, packed: str, plain: str) -> None:
    """Refuse a file that is gzipped against its name, or the other way round.

    Args:
        path: the file.
        compressed: whether it is gzipped.
        packed: ending of gzipped files of this format.
        plain: ending of others.
    """
    if compressed != str(path).lower().endswith(packed[-3:]):
        is_, wanted = ("gzipped", packed) if compressed else ("not gzipped", plain)
        raise SubjectError(f"{path}: the file is {is_}, against its name; rename it to end in {wanted}")


def _shape(path: str | Path, raw: nib.Nifti1Header) -> tuple[int, ...]:
    axes = int(raw["dim"][0])
    shape = tuple(int(n) for n in raw["dim"][1 : axes + 1]) if 1 <= axes <= 7 else ()
    if not shape or min(shape) < 1:
        raise SubjectError(f"{path}: the header gives the dimensions {raw['dim'].tolist()}, which is no image; convert it again")
    if len(shape) == 1:
        raise SubjectError(f"{path}: the image has shape {shape}; a single 3D volume or slice is needed")
    shape += (1,) * (3 - len(shape))
    if math.prod(shape[:3]) > MOST_VOXELS:
        raise SubjectError(f"{path}: the header announces {shape} voxels, too many for a head; it is damaged, convert again")
    return shape


def _dtype(path: str | Path, raw: nib.Nifti1Header) -> np.dtype:
    code = int(raw["datatype"])
    try:
        dtype = np.dtype(raw.get_data_dtype())
    except (HeaderDataError, KeyError):
        raise SubjectError(f"{path}: the header gives the unknown data type {code}; convert the image again") from None
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        what = {"c": "complex numbers; store their magnitude", "V": "colours; store one grey value per voxel"}
        raise SubjectError(
            f"{path}: the voxels are {what.get(dtype.kind, 'numbers of 16 bytes; store float32')} (data type {code})"
        )
    return dtype


def _scale(path: str | Path, raw: nib.Nifti1Header) -> tuple[float, float]:
    """Return slope and intercept; a slope of 0 (the standard) or NaN (SPM, nibabel) means that nothing is scaled."""
    slope, inter = float(raw["scl_slope"]), float(raw["scl_inter"])
    if slope == 0 or math.isnan(slope):
        return 1.0, 0.0
    if not (math.isfinite(slope) and math.isfinite(inter)):
        raise SubjectError(f"{path}: scl_slope is {slope} and scl_inter {inter}, so no voxel has a value; repair the header")
    return slope, inter


def _offset(path: str | Path, raw: nib.Nifti1Header, least: int) -> int:
    offset = float(raw["vox_offset"])
    if not (offset >= least and offset == math.floor(offset)):
        raise SubjectError(f"{path}: vox_offset is {offset:g}, inside the header (it ends at {least}); convert the image again")
    return int(min(offset, 2**62))


def check_size(path: str | Path, header: Header) -> None:
    """Compare the announced size with that of the file, before memory is allocated for it."""
    there = os.stat(header.voxels or path).st_size
    if header.total_bytes > there * (DEFLATE_RATIO if header.compressed else 1):
        raise SubjectError(
            f"{path}: the header announces {header.total_bytes} bytes, the file has {there}: it is truncated or damaged; "
            "copy it again"
        )
    if not header.compressed:
        check_rest(path, header, there - header.total_bytes)


def check_rest(path: str | Path, header: Header, rest: int) -> None:
    """Refuse a file that holds more than its header announces: one of the dimensions is wrong.

    Args:
        path: the file, for the message.
        header: its header.
        rest: number of bytes after the last voxel.
    """
    if rest >= header.slack_bytes and not header.has_tail:
        raise SubjectError(
            f"{path}: {rest} bytes follow the {header.shape} voxels that the header announces; it is damaged, convert again"
        )


def _affine(path: str | Path, raw: nib.Nifti1Header) -> np.ndarray:
    """Return the one affine that a header gives its voxels.

    NIfTI-1 (Cox et al. 2004) has two transforms, and tools differ in which they prefer (ITK took the qform before 5.2, MRtrix
    and nibabel take the sform), so that an image in which they disagree on left and right is mirrored by some of them.
    Where the axes agree the sform is used, which may be rotated and shifted to a template. One that also scales, as after a
    registration to MNI space, would give the template's millimetres; then the qform is used, as by ITK.
    """
    qform = _qform(path, raw, needed=int(raw["sform_code"]) <= 0) if int(raw["qform_code"]) > 0 else None
    sform = _sform(path, raw) if int(raw["sform_code"]) > 0 else None
    if sform is None:
        if qform is None:
            raise SubjectError(
                f"{path}: the header does not say which side is left (qform_code and sform_code are both 0); {REPAIR}"
            )
        return qform
    if qform is not None:
        _check_axes(path, qform, sform)
    axes = min(int(raw["dim"][0]), 3)  # a two-dimensional image has no third voxel size of its own
    ours, theirs = _spacing(sform)[:axes], np.abs(np.asarray(raw["pixdim"][1 : axes + 1], dtype=float))
    if not (np.isfinite(theirs).all() and theirs.min() > 0) or np.allclose(ours, theirs, rtol=SPACING_TOLERANCE, atol=0):
        return sform
    if qform is not None and int(raw["sform_code"]) in TEMPLATE_CODES:
        return qform
    raise SubjectError(f"{path}: voxels are {_mm(ours)} mm by the sform, but {_mm(theirs)} mm by pixdim; {REPAIR}")


def _sform(path: str | Path, raw: nib.Nifti1Header) -> np.ndarray:
    affine = np.eye(4)
    affine[:3] = [raw["srow_x"], raw["srow_y"], raw["srow_z"]]
    return sound(path, affine, "sform")


def _qform(path: str | Path, raw: nib.Nifti1Header, needed: bool) -> np.ndarray | None:
    """Return the transform of the quaternion; None when it is no rotation and is not needed."""
    factor, *spacing = (float(number) for number in raw["pixdim"][:4])
    vector = np.array([raw["quatern_b"], raw["quatern_c"], raw["quatern_d"]], dtype=float)
    length = float(np.linalg.norm(vector))
    fine = all(math.isfinite(edge) and edge > 0 for edge in spacing) and factor in (-1, 0, 1) and length <= 1.001
    if not fine:
        if not needed:
            return None
        raise SubjectError(
            f"{path}: the qform has voxels of {_mm(spacing)} mm, qfac {factor:g} and a quaternion of length {length:.4g} "
            f"(voxels must be above 0, qfac 1 or -1, the length at most 1); {REPAIR}"
        )
    unit = np.append(math.sqrt(max(0.0, 1 - length**2)), vector / max(1.0, length))
    affine = np.eye(4)
    affine[:3, :3] = quat2mat(unit) * [spacing[0], spacing[1], spacing[2] * (factor or 1)]
    affine[:3, 3] = [raw["qoffset_x"], raw["qoffset_y"], raw["qoffset_z"]]
    return sound(path, affine, "qform")


def sound(path: str | Path, affine: np.ndarray, name: str) -> np.ndarray:
    """Return the affine if it is invertible and finite, else refuse the file."""
    spacing = _spacing(affine)
    singular = not np.isfinite(affine).all() or spacing.min() <= 0 or not math.isfinite(spacing.max())
    if singular or abs(np.linalg.det(affine[:3, :3] / spacing)) < SMALLEST_DETERMINANT:
        raise SubjectError(
            f"{path}: the {name} is singular or not finite, so no voxel has a position; repair the header or convert again"
        )
    if np.abs(affine[:3, 3]).max() > LARGEST_OFFSET_MM:
        raise SubjectError(f"{path}: the {name} puts the image {np.abs(affine[:3, 3]).max():.3g} mm off the origin; {REPAIR}")
    return affine


def _check_axes(path: str | Path, qform: np.ndarray, sform: np.ndarray) -> None:
    """Refuse two transforms whose voxel axes disagree: mirrored, or more than 45 degrees apart."""
    cosines = ((qform[:3, :3] / _spacing(qform)) * (sform[:3, :3] / _spacing(sform))).sum(axis=0)
    mirrored = np.linalg.det(qform[:3, :3]) * np.linalg.det(sform[:3, :3]) < 0
    if mirrored or cosines.min() < math.sqrt(0.5):
        raise SubjectError(
            f"{path}: by its qform the axes run to {_codes(qform)}, by its sform to {_codes(sform)}, so that tools disagree on "
            f"left and right; find out which is right, copy it over the other and {REPAIR}"
        )


def _spacing(affine: np.ndarray) -> np.ndarray:
    return np.linalg.norm(affine[:3, :3], axis=0)


def _codes(affine: np.ndarray) -> str:
    return "".join(nib.aff2axcodes(affine))


def _mm(spacing: np.ndarray | list[float]) -> str:
    return " x ".join(f"{edge:.4g}" for edge in spacing)
