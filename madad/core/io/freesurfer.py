"""Strict reading of the headers of FreeSurfer's images (.mgz, .mgh), and of any image by its name."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from nibabel.freesurfer.mghformat import MGHError, MGHHeader
from nibabel.spatialimages import HeaderDataError

from madad.core.errors import SubjectError
from madad.core.io import file_types
from madad.core.io.headers import MOST_VOXELS, Header, check_name, check_size, read_header, sound

PACKED, PLAIN = ".mgz", ".mgh"
# Bytes before the first voxel (FreeSurfer wiki, MghFormat).
HEADER_BYTES = 284
# Where the header says whether it holds an orientation (goodRASFlag).
ORIENTED = slice(28, 30)


def read_any_header(path: str | Path) -> Header:
    """Read and check the header of an image in any format that is read, by the ending of its name.

    Raises:
        SubjectError: no readable image, or its header has no meaning or an ambiguous one.
    """
    return _read_mgh(path) if str(path).lower().endswith((PACKED, PLAIN)) else read_header(path)


def _read_mgh(path: str | Path) -> Header:
    start, compressed = file_types.start_of(path)
    kind = file_types.kind_of(start)
    if kind is not file_types.MGH:
        what = f" but {kind.name}; {kind.remedy}" if kind else "; copy or convert it again"
        raise SubjectError(f"{path}: not a readable FreeSurfer image{what}")
    check_name(path, compressed, PACKED, PLAIN)
    try:
        raw = MGHHeader.from_fileobj(io.BytesIO(start))
        shape = tuple(int(n) for n in raw.get_data_shape())
        dtype = np.dtype(raw.get_data_dtype()).newbyteorder(">")
    except (MGHError, HeaderDataError, ValueError, KeyError) as error:
        raise SubjectError(f"{path}: its header is damaged ({error}); copy it again") from None
    if start[ORIENTED] != b"\0\1":  # nibabel would assume an orientation
        raise SubjectError(f"{path}: the header does not say which side is left (goodRASFlag is 0); convert the image again")
    if math.prod(shape[:3]) > MOST_VOXELS:
        raise SubjectError(f"{path}: the header announces {shape} voxels, too many for a head; it is damaged, convert again")
    with np.errstate(all="ignore"):
        affine = sound(path, np.asarray(raw.get_affine(), dtype=float), "header's transform")
    header = Header(shape, dtype, HEADER_BYTES, 1.0, 0.0, affine, compressed, has_tail=True)
    check_size(path, header)
    return header
