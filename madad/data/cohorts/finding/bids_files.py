"""Finding the images and masks of a BIDS data set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from madad.core.errors import UserError
from madad.data.cohorts.finding.file_layout import Image
from madad.data.cohorts.finding.mask_files import session_of
from madad.data.cohorts.finding.unrecognised_files import foreign_files

IMAGE = re.compile(
    r"(?P<subject>sub-[A-Za-z0-9]+)(_(?P<session>ses-[A-Za-z0-9]+))?"
    r"(?P<entities>(_[A-Za-z0-9]+-[A-Za-z0-9.+]+)*)_(?P<modality>[A-Za-z0-9]+)\.nii(\.gz)?"
)
SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")
# BIDS marks a T1w image after contrast agent by an entity; here it is a sequence of its own, as it looks different.
CONTRAST_AGENT = {"T1w": "T1ce"}


def subject_folders(root: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders of subjects, and those whose names are no BIDS labels.

    Raises:
        UserError: `root` does not exist or contains no subject.
    """
    if not root.is_dir():
        raise UserError(f"root: {root} is not a folder; set it to where the data set lies")
    folders = sorted(path for path in root.glob("sub-*") if path.is_dir())
    if not folders:
        foreign = foreign_files(root)
        remedy = foreign or "set it to the top of a BIDS data set"
        raise UserError(f"root: {root} holds no subject folders (sub-01, sub-02 …); {remedy}")
    good = [path for path in folders if SUBJECT.fullmatch(path.name)]
    return good, [path for path in folders if path not in good]


def images_of(folder: Path) -> list[Image]:
    """Return every NIfTI image below a subject's folder that is named after the subject, by session, modality and name."""
    found = []
    for path in folder.rglob("sub-*.nii*"):
        match = IMAGE.fullmatch(path.name)
        if match and match["subject"] == folder.name:
            session = match["session"] or session_of(str(path.relative_to(folder)))
            modality = match["modality"]
            if "_ce-" in match["entities"]:
                modality = CONTRAST_AGENT.get(modality, modality)
            found.append(Image(folder.name, session, modality, path))
    return sorted(found)


def mask_candidates(root: Path, patterns: str | Sequence[str], subject: str) -> list[Path]:
    """Return the mask files of a subject by glob patterns below `root`, in which {subject} stands for its label.

    Raises:
        UserError: a pattern is absolute or invalid.
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
