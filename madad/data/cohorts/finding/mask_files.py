"""The choice among several mask files of an image: the one on its grid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from madad.core.errors import SubjectError
from madad.core.io.volumes import Volume, check_header, grid_difference
from madad.data.cohorts.finding.file_layout import Image

SESSION = re.compile(r"(?<![A-Za-z0-9])ses-[A-Za-z0-9]+")


def best_mask(candidates: Sequence[Path], image: Image, image_grid: Volume, one: str | None = None) -> str:
    """Return the candidate on the image's grid, or the likeliest one so that preprocessing can refuse it by name, or "".

    Args:
        candidates: files that may be the mask.
        image: the image that the mask belongs to.
        image_grid: its grid.
        one: option to name in the error when several candidates lie on the grid; None uses the first.

    Raises:
        SubjectError: several lie on the grid, and each may hold only a part of the lesions.
    """
    own = [path for path in candidates if session_of(str(path)) == image.session]
    others = [path for path in candidates if path not in own and not (image.session and session_of(str(path)))]
    usable = own + others  # never another session's mask
    on_grid = [path for path in usable if _is_on(path, image_grid)]
    if one and len(on_grid) > 1:
        names = ", ".join(str(path) for path in on_grid)
        raise SubjectError(f"{image.path}: {len(on_grid)} masks lie on its grid ({names}); let {one} match only one of them")
    return str((on_grid or usable or [""])[0])


def grid_of(path: Path, frame: str = "") -> Volume:
    """Return the grid of a NIfTI file from its header; the array is a placeholder of the right shape.

    Raises:
        SubjectError: see `volumes.check_header`.
    """
    header = check_header(path, int(frame) if frame else None)
    return Volume(np.broadcast_to(np.uint8(0), header.shape[:3]), np.asarray(header.affine, dtype=float))


def session_of(path: str) -> str:
    """Return the session that a path names, from its last such part."""
    return (SESSION.findall(path) or [""])[-1]


def _is_on(path: Path, grid: Volume) -> bool:
    try:
        return grid_difference(grid_of(path), grid) is None
    except SubjectError:
        return False
