"""Finding the images and masks of a BIDS data set, or of derivatives laid out like one, by the names of the files."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from madad.core.errors import UserError, did_you_mean
from madad.core.io.bids_names import FREESURFER, BidsName, Filter, parse, selects
from madad.core.io.file_types import SUFFIXES, image_ending
from madad.data.cohorts.finding.file_layout import Image
from madad.data.cohorts.finding.label_tables import LabelTables
from madad.data.cohorts.finding.unrecognised_files import foreign_files

SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")
SESSION = re.compile(r"ses-[A-Za-z0-9]+")
# Folders of a data set that hold neither images nor masks to be used: what was converted, and programs.
PASSED_OVER = {"sourcedata", "code"}
FREESURFER_BRAIN = "brainmask.mgz"
UNCLEAR = "its name says neither that it marks lesions nor the brain; `filters: {lesion_mask: …}` can choose it"
LESION, BRAIN = "lesion_mask", "brain_mask"
# Stands for the label of a subject while a pattern is compared with a path.
NEUTRAL = "sub-\0"


@dataclass
class Subject:
    """The files of a subject.

    Attributes:
        images: by session, modality and name.
        lesion_masks: files that may mark its lesions.
        brain_masks: files that may mark its brain.
        others: path and reason of every other image in its folder.
        labels: by file, the labels that mark lesions in maps of several labels, with spaces between.
    """

    images: list[Image] = field(default_factory=list)
    lesion_masks: list[Path] = field(default_factory=list)
    brain_masks: list[Path] = field(default_factory=list)
    others: list[tuple[Path, str]] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)


@dataclass
class Tree:
    """A data set.

    Attributes:
        subjects: by label, in alphabetical order.
        misnamed: folders whose names begin like those of subjects but are no labels.
        strangers: masks of subjects that have no folder, with the reason.
    """

    subjects: dict[str, Subject]
    misnamed: list[Path]
    strangers: list[tuple[Path, str]] = field(default_factory=list)


def read_tree(root: Path, options: Mapping) -> Tree:
    """Find the files of every subject. No image is opened; folders that are links are followed at any depth.

    Args:
        root: the data set's folder.
        options: filters (by sequence, lesion_mask or brain_mask), lesion_masks and brain_masks (glob patterns below the root).

    Raises:
        UserError: `root` does not exist or contains no subject, or a pattern cannot be used.
    """
    folders, misnamed = subject_folders(root)
    tree = Tree({folder.name: Subject() for folder in folders}, misnamed)
    paths = sorted(walk(root))
    tables = LabelTables(root, paths)
    for path in paths:
        inside = path.relative_to(root).parts
        if inside[0] in tree.subjects:
            _sort_own(path, inside, tree.subjects[inside[0]], options, tables)
        elif inside[0] not in PASSED_OVER and not inside[0].startswith("sub-"):
            _sort_derivative(path, inside, tree, options, tables)
    for key in (LESION, BRAIN):
        if options.get(f"{key}s"):
            _match(root, paths, options[f"{key}s"], key, tree)
    for name, subject in tree.subjects.items():
        subject.images = sorted(_without_second_freesurfer(name, subject))
    return tree


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


def walk(folder: str | Path, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[Path]:
    """Yield the files below a folder, without hidden ones. A link to a folder that contains it is not followed."""
    own = os.stat(folder)
    above |= {(own.st_dev, own.st_ino)}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not entry.is_dir():
                yield Path(entry.path)
                continue
            below = os.stat(entry.path)
            if (below.st_dev, below.st_ino) not in above:
                yield from walk(entry.path, above)


def session_in(inside: Iterable[str]) -> str:
    """Return the session that the folders of a path name, from the last such folder."""
    return ([part for part in inside if SESSION.fullmatch(part)] or [""])[-1]


def _sort_own(path: Path, inside: Sequence[str], subject: Subject, options: Mapping, tables: LabelTables) -> None:
    """Record a file in the subject's own folder: an image, a mask, or neither."""
    label, name = inside[0], parse(path.name)
    if path.parent.name == "mri" and path.name in (*FREESURFER, FREESURFER_BRAIN):
        if path.name == FREESURFER_BRAIN:
            subject.brain_masks.append(path)
        else:
            subject.images.append(Image(label, session_in(inside[:-1]), FREESURFER[path.name], path))
    elif not image_ending(path.name):
        foreign = SUFFIXES.get(path.suffix.lower())
        if foreign and not _belongs_to_header(path):
            subject.others.append((path, f"{foreign.name}; {foreign.remedy}"))
    elif name is None or name.subject != label:
        subject.others.append((path, f"its name does not begin with {label}_, so it is not taken for an image of this subject"))
    elif not _sort_mask(path, inside, name, subject, options, tables):
        if not name.sequence:
            subject.others.append((path, UNCLEAR if name.is_mask else "its name is not that of a BIDS image or mask"))
        else:
            subject.images.append(Image(label, name.session or session_in(inside[:-1]), name.sequence, path, name=name))


def _sort_derivative(path: Path, inside: Sequence[str], tree: Tree, options: Mapping, tables: LabelTables) -> None:
    """Record a mask outside the folders of subjects."""
    name = parse(path.name)
    if name is None:
        return
    owner = tree.subjects.get(name.subject)
    if owner is not None:
        if not _sort_mask(path, inside, name, owner, options, tables) and name.is_mask and not name.is_brain_mask:
            owner.others.append((path, UNCLEAR))
    elif name.is_lesion_mask:
        near = did_you_mean(name.subject, tree.subjects)
        tree.strangers.append((path, f"there is no folder {name.subject}{near}; correct the name"))


def _sort_mask(
    path: Path, inside: Sequence[str], name: BidsName, subject: Subject, options: Mapping, tables: LabelTables
) -> bool:
    """Record a mask and return whether the file is one."""
    filters, found = options.get("filters") or {}, False
    marks = name.is_lesion_mask or _lies_with_lesions(inside, name)
    labels = tables.lesions(path, name) if name.is_mask and not marks and not name.is_brain_mask else ""
    if labels:
        subject.labels[str(path)] = labels
    for key, masks in ((LESION, subject.lesion_masks), (BRAIN, subject.brain_masks)):
        wanted: Filter | None = filters.get(key)
        usual = name.is_brain_mask if key == BRAIN else marks or bool(labels)
        if not options.get(f"{key}s") and (usual if wanted is None else name.is_mask and selects(wanted, name)):
            masks.append(path)
            found = True
    return found


def _lies_with_lesions(inside: Sequence[str], name: BidsName) -> bool:
    """Return whether a mask without a label lies in a folder called after lesions: `derivatives/lesions/sub-01/sub-01_mask`."""
    folders = [part for part in inside[:-1] if not part.startswith(("sub-", "ses-"))]
    plain = name.is_mask and not name.is_brain_mask and "label" not in name.entities
    return plain and any("lesion" in part.lower() for part in folders)


def _without_second_freesurfer(label: str, subject: Subject) -> Iterator[Image]:
    """Yield the images, of FreeSurfer's several T1w volumes of a session the first alone."""
    order = list(FREESURFER)
    taken: dict[tuple[str, str], Path] = {}
    for image in sorted(subject.images, key=lambda one: order.index(one.path.name) if one.path.name in order else 0):
        key = (image.session, image.modality)
        if image.path.name in FREESURFER and taken.setdefault(key, image.path) != image.path:
            subject.others.append((image.path, f"{taken[key].name} is used as the {image.modality} image of {label}"))
        else:
            yield image


def _belongs_to_header(path: Path) -> bool:
    return path.suffix.lower() == ".img" and path.with_suffix(".hdr").exists()


def _match(root: Path, paths: Sequence[Path], pattern: str, key: str, tree: Tree) -> None:
    """Record the files that a glob pattern below the root selects, in which {subject} stands for the label of each subject.

    Raises:
        UserError: a pattern that is absolute, or has another name in braces.
    """
    try:
        pattern.format(subject="")
    except (ValueError, KeyError, IndexError) as error:
        raise UserError(f"{key}s: {pattern!r} may hold {{subject}} in braces and nothing else ({error})") from None
    if pattern.startswith("/"):
        raise UserError(f"{key}s: {pattern!r} is an absolute path; give a pattern below the root")
    # the label itself must not satisfy the pattern, as sub-lesion01 would satisfy *lesion*
    wanted = pattern.replace("{subject}", NEUTRAL).split("/")
    for path in paths:
        text = path.relative_to(root).as_posix()
        for label in set(SUBJECT.findall(text)) & tree.subjects.keys() if image_ending(path.name) else ():
            neutral = re.sub(rf"{label}(?![A-Za-z0-9])", NEUTRAL, text)
            if _fits(neutral.split("/"), wanted):
                subject = tree.subjects[label]
                (subject.lesion_masks if key == LESION else subject.brain_masks).append(path)


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether the parts of a path fit those of a glob pattern, in which `**` stands for any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])
