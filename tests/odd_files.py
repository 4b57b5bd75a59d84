"""NIfTI files written byte by byte, with any header: what a library would not write."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np

IMAGE = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)
AFFINE = np.array([[-1.0, 0, 0, 20], [0, 0, 1.5, -30], [0, 2, 0, -10], [0, 0, 0, 1]])


def header_of(array: np.ndarray, affine: np.ndarray = AFFINE, order: str = "<", version: int = 1) -> nib.Nifti1Header:
    """Return a header that fits the array and has one meaning: qform and sform are both the affine."""
    header = (nib.Nifti1Header if version == 1 else nib.Nifti2Header)(endianness=order, check=False)
    header.set_data_dtype(array.dtype.newbyteorder(order))
    header.set_data_shape(array.shape)
    header["magic"] = b"n+1" if version == 1 else b"n+2\0\r\n\x1a\n"
    header["vox_offset"] = 352 if version == 1 else 544
    header.set_qform(affine, 1)
    header.set_sform(affine, 1)
    header["xyzt_units"] = 2
    return header


def file_bytes(header: nib.Nifti1Header, array: np.ndarray, offset: int | None = None) -> bytes:
    """Header and voxels as one file."""
    offset = int(header["vox_offset"]) if offset is None else offset
    voxels = array.astype(header.get_data_dtype()).tobytes(order="F")
    return header.binaryblock.ljust(offset, b"\0") + voxels


def write(path: Path, content: bytes) -> Path:
    """Write a file, gzipped if its name says so."""
    path.write_bytes(gzip.compress(content, 1) if path.name.endswith(".gz") else content)
    return path


def odd(path: Path, array: np.ndarray = IMAGE, affine: np.ndarray = AFFINE, **fields) -> Path:
    """Write an array with some fields of its header set to anything."""
    header = header_of(array, affine)
    for name, value in fields.items():
        header[name] = value
    return write(path, file_bytes(header, array, offset=352))
