"""Finding the images and masks of a BIDS data set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from madad.errors import SubjectError, UserError
from madad.volumes import Volume, check_header, grid_difference

IMAGE = re.compile(
    r"(?P<subject>sub-[A-Za-z0-9]+)(_(?P<session>ses-[A-Za-z0-9]+))?(_[A-Za-z0-9]+-[A-Za-z0-9.+]+)*_(?P<modality>[A-Za-z0-9]+)\.nii(\.gz)?"
)
SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")
SESSION = re.compile(r"(?<![A-Za-z0-9])ses-[A-Za-z0-9]+")


@dataclass(frozen=True, order=True)
class Image:
    """An image file of a data set; `session` is empty where there are none."""

    subject: str
    session: str
    modality: str
    path: Path


def subject_folders(root: Path) -> tuple[list[Path], list[Path]]:
    """Folders of subjects, and those whose names are no BIDS labels.

    Raises:
        UserError: `root` does not exist or holds no subject.
    """
    if not root.is_dir():
        raise UserError(f"root: {root} is not a folder; set it to where the data set lies")
    folders = sorted(path for path in root.glob("sub-*") if path.is_dir())
    if not folders:
        raise UserError(f"root: {root} holds no subject folders (sub-01, sub-02 …); set it to the top of a BIDS data set")
    good = [path for path in folders if SUBJECT.fullmatch(path.name)]
    return good, [path for path in folders if path not in good]


def images_of(folder: Path) -> list[Image]:
    """Every NIfTI image below a subject's folder whose name is the subject's own, sorted by session, modality and name."""
    found = []
    for path in folder.rglob("sub-*.nii*"):
        match = IMAGE.fullmatch(path.name)
        if match and match["subject"] == folder.name:
            session = match["session"] or _session(str(path.relative_to(folder)))
            found.append(Image(folder.name, session, match["modality"], path))
    return sorted(found)


def mask_candidates(root: Path, patterns: str | Sequence[str], subject: str) -> list[Path]:
    """Mask files of a subject by glob patterns below `root`, in which {subject} stands for its label.

    Raises:
        UserError: a pattern that is absolute or no pattern.
    """
    found: set[Path] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        try:
            paths = list(root.glob(pattern.format(subject=subject)))
        except (NotImplementedError, ValueError, KeyError, IndexError) as error:
            raise UserError(
                f"mask pattern {pattern!r}: not a glob pattern below the root with {{subject}} in it ({error})"
            ) from None
        found.update(path for path in paths if path.name.endswith((".nii", ".nii.gz")) and not path.name.startswith("."))
    return sorted(found)


def best_mask(candidates: Sequence[Path], image: Image, image_grid: Volume, one: str | None = None) -> str:
    """The candidate that lies on the image's grid, or the likeliest one so that preprocessing can refuse it by name, or "".

    Args:
        one: option to name when several candidates lie on the grid and a choice would be a guess; None takes the first.

    Raises:
        SubjectError: several lie on the grid; part of the truth must not be taken for all of it.
    """
    own = [path for path in candidates if _session(str(path)) == image.session]
    others = [path for path in candidates if path not in own and not (image.session and _session(str(path)))]
    usable = own + others  # never another session's mask
    on_grid = [path for path in usable if _is_on(path, image_grid)]
    if one and len(on_grid) > 1:
        names = ", ".join(str(path) for path in on_grid)
        raise SubjectError(f"{image.path}: {len(on_grid)} masks lie on its grid ({names}); let {one} match one of them")
    return str((on_grid or usable or [""])[0])


def grid_of(path: Path) -> Volume:
    """The grid of a NIfTI file from its header; the array is a placeholder of the right shape.

    Raises:
        SubjectError: see `volumes.check_header`.
    """
    header = check_header(path)
    return Volume(np.broadcast_to(np.uint8(0), header.shape[:3]), np.asarray(header.affine, dtype=float))


def _is_on(path: Path, grid: Volume) -> bool:
    try:
        return grid_difference(grid_of(path), grid) is None
    except SubjectError:
        return False


def _session(path: str) -> str:
    """The session a path names, from its last such part."""
    return (SESSION.findall(path) or [""])[-1]
