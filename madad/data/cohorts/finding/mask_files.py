"""The choice among several mask files of an image, and whether a mask marks anything at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from madad.core.errors import SubjectError
from madad.core.io.bids_names import parse
from madad.core.io.volumes import Volume, check_header, grid_difference, read_volume
from madad.data.cohorts.finding.file_layout import Image

SESSION = re.compile(r"(?<![A-Za-z0-9])ses-[A-Za-z0-9]+")
# Entities that say which of a session's images a mask was drawn on.
SAME_IMAGE = ("run", "acq", "rec", "echo", "ce")


def best_mask(candidates: Sequence[Path], image: Image, image_grid: Volume | None, one: str | None = None) -> str:
    """Return the candidate on the image's grid, or the likeliest one so that preprocessing can refuse it by name, or "".

    Args:
        candidates: files that may be the mask.
        image: the image that the mask belongs to.
        image_grid: its grid; None to choose by names alone.
        one: option to name in the error when several candidates lie on the grid; None uses the first.

    Raises:
        SubjectError: several lie on the grid, and each may hold only a part of the lesions.
    """
    usable = _of_image(candidates, image)
    own_space = [path for path in usable if _entity(path, "space") == _entity(image.path, "space")]
    if image_grid is None:
        return str((own_space or [""])[0])
    on_grid = [path for path in own_space or usable if _is_on(path, image_grid)] or [p for p in usable if _is_on(p, image_grid)]
    if one and len(on_grid) > 1:
        names = ", ".join(str(path) for path in on_grid)
        raise SubjectError(
            f"{image.path}: {len(on_grid)} masks lie on its grid ({names}); let {one}, or `filters: {{lesion_mask: …}}`, match "
            "only one of them"
        )
    return str((on_grid or own_space or [""])[0])


def shows_something(path: Path, labels: str = "") -> bool:
    """Return whether a mask has a voxel that counts as lesion; a mask that cannot be read is not known to be empty.

    A mask that is all zero shows no lesion, and so makes nobody a patient.

    Args:
        path: the file.
        labels: those that count, with spaces between; empty for all that are not 0.
    """
    try:
        voxels = read_volume(path).array
        return bool((np.isin(voxels, [int(label) for label in labels.split()]) if labels else voxels).any())
    except SubjectError:
        return True


def grid_of(path: Path, frame: str = "") -> Volume:
    """Return the grid of an image from its header; the array is a placeholder of the right shape.

    Raises:
        SubjectError: see `volumes.check_header`.
    """
    header = check_header(path, int(frame) if frame else None)
    return Volume(np.broadcast_to(np.uint8(0), header.shape[:3]), np.asarray(header.affine, dtype=float))


def session_of(path: str) -> str:
    """Return the session that a path names, from its last such part."""
    return (SESSION.findall(path) or [""])[-1]


def _of_image(candidates: Sequence[Path], image: Image) -> list[Path]:
    """Return the candidates that may belong to an image by their names, those that name it most exactly alone."""
    own = [path for path in candidates if session_of(str(path)) == image.session]
    others = [path for path in candidates if path not in own and not (image.session and session_of(str(path)))]
    usable = own + others  # never another session's mask
    usable = [path for path in usable if not any(_differ(path, image.path, key) for key in SAME_IMAGE)]
    return _preferred(usable, lambda path: image.modality in _words(path))


def _preferred(paths: Sequence[Path], is_better: Callable[[Path], bool]) -> list[Path]:
    return [path for path in paths if is_better(path)] or list(paths)


def _differ(mask: Path, image: Path, key: str) -> bool:
    values = _entity(mask, key), _entity(image, key)
    return all(values) and values[0] != values[1]


def _entity(path: Path, key: str) -> str:
    name = parse(path.name)
    return name.entities.get(key, "") if name else ""


def _words(path: Path) -> tuple[str, ...]:
    name = parse(path.name)
    return name.words if name else ()


def _is_on(path: Path, grid: Volume) -> bool:
    try:
        return grid_difference(grid_of(path), grid) is None
    except SubjectError:
        return False
