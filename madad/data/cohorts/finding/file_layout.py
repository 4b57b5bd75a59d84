"""The layout of a data set: where its images and masks lie, and what is known about the subjects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from madad.configuration import cohort_cards, subject_counts
from madad.core.errors import UserError
from madad.core.io.bids_names import BidsName
from madad.core.io.manifest import Row
from madad.data.cohorts.finding.unrecognised_files import foreign_files

UNKNOWN = {"age": "", "sex": "", "site": "", "group": "", "lesion_kind": ""}


@dataclass(frozen=True, order=True)
class Image:
    """An image of a data set.

    Attributes:
        subject: label with its prefix.
        session: label with its prefix, empty where there are none.
        modality: sequence, by BIDS suffix.
        path: the file.
        frame: number of the volume in a 4D file, counted from 0, or empty.
        name: what the name says, in data sets that follow BIDS.
    """

    subject: str
    session: str
    modality: str
    path: Path
    frame: str = ""
    name: BidsName | None = field(default=None, compare=False)


def no_masks(image: Image) -> list[Path]:
    """Return no masks, for data sets without any."""
    return []


@dataclass
class Layout:
    """A data set as found on the disk; whether its files can be used is checked later.

    Attributes:
        images: images of every subject, sorted.
        people: what is known about subjects: age, sex, site, group, lesion_kind; missing values are unknown.
        evidence: where the group of a subject is written.
        excluded: subject, path and reason of everything that cannot be used whatever its content.
        others: path and reason of files that are no image and no mask of a subject, by subject.
        labels: labels that mark lesions, with spaces between, by subject and file; for files of which tables say so.
        notes: sentences about the whole data set that a person should read.
        brain_masks: returns the files that may be an image's brain mask.
        lesion_masks: returns the files that may be an image's lesion mask.
        masks_trusted: whether every lesion mask is known to mark lesions, so that none is opened for that.
    """

    images: dict[str, list[Image]]
    people: dict[str, Row] = field(default_factory=dict)
    excluded: list[Row] = field(default_factory=list)
    evidence: dict[str, str] = field(default_factory=dict)
    others: dict[str, list[tuple[Path, str]]] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    brain_masks: Callable[[Image], Sequence[Path]] = no_masks
    lesion_masks: Callable[[Image], Sequence[Path]] = no_masks
    masks_trusted: bool = False

    def exclude(self, subject: str, path: Path | str, reason: str) -> None:
        """Record something that cannot be used."""
        self.excluded.append({"subject": subject, "path": str(path), "reason": reason})


def collect(images: Sequence[Image]) -> dict[str, list[Image]]:
    """Group images by subject, sorted."""
    found: dict[str, list[Image]] = {}
    for image in sorted(images):
        found.setdefault(image.subject, []).append(image)
    return found


def files(root: Path, *patterns: str) -> list[Path]:
    """Return the files below a root that match glob patterns, sorted, without hidden ones such as the ._ files of macOS.

    Links are followed, and each folder is read once.

    Raises:
        UserError: `root` is not a folder.
    """
    if not root.is_dir():
        raise UserError(f"root: {root} is not a folder; set it to where the data set lies")
    paths = (Path(folder, name) for folder, names in subject_counts.walk(root, hidden=False) for name in names)
    return sorted(path for path in paths if any(path.match(pattern) for pattern in patterns))


def absent(kind: str, root: Path, what: str) -> UserError:
    """Return the error of a root without a data set of its kind: what was looked for and how to get it."""
    foreign = foreign_files(root)
    remedy = f"{foreign}." if foreign else "set it to the top of the data set."
    return UserError(f"root: {root} holds no {what}; {remedy}\n{cohort_cards.directions(kind)}")


def facts(**known: str) -> Row:
    """Return the known values of a subject; all others are unknown."""
    return {**UNKNOWN, **known}


def modality_of(names: Mapping[str, str], word: str) -> str:
    """Return the sequence that a data set's own word stands for; empty if there is none."""
    return names.get(word.lower(), "")
