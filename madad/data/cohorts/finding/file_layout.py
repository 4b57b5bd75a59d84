"""What the file of a data set says of it: where its images and masks lie, and what is known of the subjects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from madad.configuration import cohort_cards, subject_counts
from madad.core.errors import UserError
from madad.core.io.manifest import Row
from madad.data.cohorts.finding.unrecognised_files import foreign_files

UNKNOWN = {"age": "", "sex": "", "site": "", "group": "", "lesion_kind": ""}


@dataclass(frozen=True, order=True)
class Image:
    """An image of a data set; `session` is empty where there are none, `frame` counts the volumes of a 4D file from 0."""

    subject: str
    session: str
    modality: str
    path: Path
    frame: str = ""


def no_masks(image: Image) -> list[Path]:
    """For data sets that come without."""
    return []


@dataclass
class Layout:
    """A data set as found on the disk; whether its files can be used is looked at later.

    Attributes:
        images: of every subject, sorted.
        people: what is known of subjects: age, sex, site, group, lesion_kind; what is missing is unknown.
        excluded: subject, path and reason of what cannot be used whatever the images are like.
        conflicts: reasons why subjects cannot be used.
        brain_masks, lesion_masks: files that may be an image's mask.
        lesions_known: every subject is a patient, and one whose lesion mask is missing cannot be scored.
    """

    images: dict[str, list[Image]]
    people: dict[str, Row] = field(default_factory=dict)
    excluded: list[Row] = field(default_factory=list)
    conflicts: dict[str, str] = field(default_factory=dict)
    brain_masks: Callable[[Image], Sequence[Path]] = no_masks
    lesion_masks: Callable[[Image], Sequence[Path]] = no_masks
    lesions_known: bool = False

    def exclude(self, subject: str, path: Path | str, reason: str) -> None:
        """Note what cannot be used."""
        self.excluded.append({"subject": subject, "path": str(path), "reason": reason})


def collect(images: Sequence[Image]) -> dict[str, list[Image]]:
    """Images by subject, sorted."""
    found: dict[str, list[Image]] = {}
    for image in sorted(images):
        found.setdefault(image.subject, []).append(image)
    return found


def files(root: Path, *patterns: str) -> list[Path]:
    """Files below a root by glob patterns, sorted; hidden ones, such as the ._ twins that macOS leaves, are no images.

    Links are followed, each folder is read once.

    Raises:
        UserError: `root` is not a folder.
    """
    if not root.is_dir():
        raise UserError(f"root: {root} is not a folder; set it to where the data set lies")
    paths = (Path(folder, name) for folder, names in subject_counts.walk(root, hidden=False) for name in names)
    return sorted(path for path in paths if any(path.match(pattern) for pattern in patterns))


def absent(kind: str, root: Path, what: str) -> UserError:
    """The error of a root that holds no data set of its kind: what was looked for and how to come by it."""
    foreign = foreign_files(root)
    remedy = f"{foreign}." if foreign else "set it to the top of the data set."
    return UserError(f"root: {root} holds no {what}; {remedy}\n{cohort_cards.directions(kind)}")


def facts(**known: str) -> Row:
    """What is known of a subject; the rest is unknown."""
    return {**UNKNOWN, **known}


def modality_of(names: Mapping[str, str], word: str) -> str:
    """The sequence a data set's own word stands for; empty when it stands for none."""
    return names.get(word.lower(), "")
