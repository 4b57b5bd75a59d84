"""File types by their first bytes, and how to convert a file that is no NIfTI image."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from madad.core.errors import SubjectError

GZIP = b"\x1f\x8b"
# Endings of the images that are read; `.hdr` stands for itself and the `.img` beside it.
IMAGE_ENDINGS = (".nii.gz", ".nii", ".mgz", ".mgh", ".hdr")
# Enough for the longest magic number (tar, byte 257) and a NIfTI-2 header (540 bytes).
START_BYTES = 1024
DICOM_AT = 128
ANALYZE_BYTES = 348


@dataclass(frozen=True)
class Kind:
    """A type of file that is not a NIfTI image.

    Attributes:
        name: its name in messages, with its article.
        remedy: how to convert it to a NIfTI image, or where to get the image.
    """

    name: str
    remedy: str


DICOM = Kind("a DICOM file", "convert the folder with dcm2niix, or a whole study into BIDS with dcm2bids")
ITK_TOOLS = "convert it to .nii.gz with 3D Slicer or SimpleITK"
UNPACK = "unpack it, then compress the NIfTI file in it with gzip"
AGAIN = "download the file again"
ANALYZE = Kind(
    "an ANALYZE 7.5 image, which does not tell left from right",
    "convert it to NIfTI with a tool that knows which side is which, preferably from the original DICOM files with dcm2niix",
)
MGH = Kind("a FreeSurfer image", "convert it with mri_convert to .nii.gz")
MINC = Kind("a MINC image", "convert it with mnc2nii")
NRRD = Kind("an NRRD image", ITK_TOOLS)
META = Kind("a MetaImage", ITK_TOOLS)
PAR = Kind("a Philips PAR/REC image", "convert it with dcm2niix")
AFNI = Kind("an AFNI image", "convert it with 3dAFNItoNIFTI")
ANNEX = Kind("a pointer of git-annex (DataLad), not the file itself", "fetch it with `datalad get` or `git annex get`")
LFS = Kind("a pointer of Git LFS, not the file itself", "fetch it with `git lfs pull`")
WEB_PAGE = Kind("a web page, such as the error page of a download", AGAIN)

STARTS: tuple[tuple[bytes, Kind], ...] = (
    (b"NRRD", NRRD),
    (b"ObjectType", META),
    (b"NDims", META),
    (b"CDF", MINC),
    (b"\x89HDF", MINC),
    (b"PK\x03\x04", Kind("a zip archive", UNPACK)),
    (b"7z\xbc\xaf", Kind("a 7z archive", UNPACK)),
    (b"\xfd7zXZ", Kind("an xz archive", UNPACK)),
    (b"BZh", Kind("a bzip2 archive", UNPACK)),
    (b"\x28\xb5\x2f\xfd", Kind("a zstd archive", UNPACK)),
    (b"Rar!", Kind("a rar archive", UNPACK)),
    (b"version https://git-lfs", LFS),
    (b"/annex/objects/", ANNEX),
    (b"\x89PNG", Kind("a picture", AGAIN)),
    (b"\xff\xd8\xff", Kind("a picture", AGAIN)),
    (b"# === DATA DESCRIPTION FILE", PAR),
)
SUFFIXES = {
    ".dcm": DICOM,
    ".ima": DICOM,
    ".nrrd": NRRD,
    ".nhdr": NRRD,
    ".mha": META,
    ".mhd": META,
    ".mnc": MINC,
    ".mgz": MGH,
    ".mgh": MGH,
    ".par": PAR,
    ".rec": PAR,
    ".head": AFNI,
    ".brik": AFNI,
    ".hdr": ANALYZE,
    ".img": ANALYZE,
}


def image_ending(name: str) -> str:
    """Return the ending of an image's name as it is written there, or an empty text for any other file."""
    ending = next((ending for ending in IMAGE_ENDINGS if name.lower().endswith(ending)), "")
    return name[len(name) - len(ending) :] if ending else ""


def voxel_file(path: str | Path) -> Path:
    """Return the file that holds an image's voxels: the `.img` beside a `.hdr`, else the file itself."""
    path = Path(path)
    return path.with_suffix(".img") if path.suffix.lower() == ".hdr" else path


def start_of(path: str | Path) -> tuple[bytes, bool]:
    """Return the first bytes of a file, decompressed if it is gzipped, and whether it is gzipped.

    Raises:
        SubjectError: no such file, a folder, a broken link, or no permission to read it.
    """
    try:
        with open(path, "rb") as stream:
            raw = stream.read(4 * START_BYTES)
    except FileNotFoundError:
        raise SubjectError(_missing(Path(path))) from None
    except IsADirectoryError:
        raise SubjectError(f"{path}: a folder, not a file; a NIfTI image is expected here") from None
    except OSError as error:
        raise SubjectError(f"{path}: cannot be read ({error.strerror}); check permissions and the disk") from None
    if not raw.startswith(GZIP):
        return raw[:START_BYTES], False
    try:
        return zlib.decompressobj(wbits=31).decompress(raw, START_BYTES), True
    except zlib.error as error:
        raise SubjectError(f"{path}: the file is truncated or damaged ({error}); copy it again") from None


def kind_of(start: bytes) -> Kind | None:
    """Return the type of a file with these first bytes; None for NIfTI and for unknown types."""
    known = next((kind for magic, kind in STARTS if start.startswith(magic)), None)
    if known:
        return known
    return next((kind for is_kind, kind in _TESTS if is_kind(start)), None)


def kind_of_file(path: str | Path) -> Kind | None:
    """Return the type of a file by its content, else by its name; None for NIfTI and for unknown types."""
    try:
        start, _ = start_of(path)
    except SubjectError:
        return None
    return kind_of(start) or (None if _is_nifti(start) else SUFFIXES.get(Path(path).suffix.lower()))


def _missing(path: Path) -> str:
    if not path.is_symlink():
        return f"{path}: no such file"
    return (
        f"{path}: a link to {path.readlink()}, which does not exist; fetch the file (DataLad: `datalad get`, "
        "git-annex: `git annex get`) or correct the link"
    )


def _is_nifti(start: bytes) -> bool:
    return start[344:347] in (b"n+1", b"ni1") or start[4:7] in (b"n+2", b"ni2")


def _is_web_page(start: bytes) -> bool:
    return start.lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower().startswith((b"<!doctype", b"<html", b"<?xml"))


def _is_mgh(start: bytes) -> bool:
    """Return whether this is version 1 with four dimensions, all big-endian (FreeSurfer wiki, MghFormat)."""
    if len(start) < 24:
        return False
    version, *shape, kind = struct.unpack(">6i", start[:24])
    return version == 1 and all(0 < n < 65536 for n in shape) and kind in (0, 1, 3, 4, 10)


def _is_analyze(start: bytes) -> bool:
    size = (ANALYZE_BYTES.to_bytes(4, "little"), ANALYZE_BYTES.to_bytes(4, "big"))
    return len(start) >= ANALYZE_BYTES and start[:4] in size and not start[344:348].strip(b"\0")


_TESTS: tuple[tuple[Callable[[bytes], bool], Kind], ...] = (
    (lambda start: start[DICOM_AT : DICOM_AT + 4] == b"DICM", DICOM),
    (lambda start: start[257:262] == b"ustar", Kind("a tar archive", UNPACK)),
    (_is_web_page, WEB_PAGE),
    (_is_mgh, MGH),
    (_is_analyze, ANALYZE),
)
