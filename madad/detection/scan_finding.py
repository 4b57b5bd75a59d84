"""Which scans a prediction is asked for: files, folders of files, or a BIDS data set; and what their results are called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from madad.core.errors import UserError
from madad.core.io import bids_names
from madad.core.io.bids_names import CONTRAST_AGENT, parse

ENDING = re.compile(r"\.nii(\.gz)?$")
# Entities that say how an image was made of another one: results say it anew.
DERIVED = ("space", "desc", "res", "den")
# What BIDS calls an image whose sequence has a name of its own here.
SUFFIXES = {sequence: suffix for suffix, sequence in CONTRAST_AGENT.items()}


@dataclass(frozen=True)
class Scan:
    """One scan.

    Attributes:
        path: the image.
        entities: what its name says, in order, such as {"sub": "01", "ses": "2", "acq": "x"}.
        source: its name below the data set for BIDS, else its path, for the record of the results.
    """

    path: Path
    entities: dict[str, str]
    source: str

    @property
    def stem(self) -> str:
        """The beginning of the names of all its results."""
        return "_".join(f"{key}-{value}" for key, value in self.entities.items())

    @property
    def folder(self) -> Path:
        """Folder of its results below that of the data set: subject, and session if it has one."""
        session = [f"ses-{self.entities['ses']}"] if "ses" in self.entities else []
        return Path(f"sub-{self.entities['sub']}", *session)


def entities_wanted(filters: Mapping[str, Sequence[str]], modality: str) -> dict[str, str]:
    """Return the entities that the names of scans must have, from words such as `acq=x`.

    Args:
        filters: words by sequence.
        modality: sequence that the model reads.

    Raises:
        UserError: a word is none, or a filter is for another sequence than the model's.
    """
    wanted = {}
    for sequence, words in filters.items():
        option = f"--filter-{sequence}"
        if words and sequence != modality:
            raise UserError(f"{option}: the model reads {modality}; write --filter-{modality}, or leave it out")
        for word in words:
            key, found, value = word.partition("=")
            key = bids_names.SHORT.get(key, key)
            if not found or key not in bids_names.ENTITIES:
                raise UserError(f"{option}: {word!r} is no entity with its value; write it as acq=x")
            wanted[key] = value
    return wanted


def find(
    inputs: Sequence[Path], modality: str, participants: Sequence[str] = (), entities: Mapping[str, str] | None = None
) -> list[Scan]:
    """Return the scans of files, folders and BIDS data sets, in the order of their names within each.

    Args:
        inputs: what the user named.
        modality: sequence wanted of BIDS data sets; images of plain folders are all taken.
        participants: labels wanted of BIDS data sets, with or without `sub-`; empty for all.
        entities: values that the names of their images must have, from `entities_wanted`.

    Raises:
        UserError: an input does not exist or holds no such scan, a participant is not there, or two scans have one name.
    """
    found = [scan for path in inputs for scan in _of(path, modality, participants, entities or {})]
    names: dict[str, Scan] = {}
    for scan in found:
        other = names.setdefault(scan.stem, scan)
        if other is not scan:
            raise UserError(f"{scan.path} and {other.path}: their results would have one name, {scan.stem}; predict them apart")
    return found


def _of(path: Path, modality: str, participants: Sequence[str], entities: Mapping[str, str]) -> list[Scan]:
    if path.is_file():
        return [Scan(path, _entities(path), str(path))]
    if not path.is_dir():
        raise UserError(f"{path}: no such file or folder; name a NIfTI image, a folder of images or a BIDS data set")
    if any(path.glob("sub-*/")):
        return _of_bids(path, modality, participants, entities)
    files = sorted(file for file in path.iterdir() if ENDING.search(file.name))
    if not files:
        raise UserError(f"{path}: holds no NIfTI image (.nii, .nii.gz) and no folder sub-…; name another folder")
    return [Scan(file, _entities(file), str(file)) for file in files]


def _of_bids(root: Path, modality: str, participants: Sequence[str], entities: Mapping[str, str]) -> list[Scan]:
    wanted = {label.removeprefix("sub-") for label in participants}
    there = {folder.name.removeprefix("sub-") for folder in root.glob("sub-*/")}
    if wanted - there:
        raise UserError(f"{root}: has no participant {', '.join(sorted(wanted - there))}; correct --participant-label")
    scans = [
        Scan(file, _entities(file), file.relative_to(root).as_posix())
        for label in sorted(wanted or there)
        for file in _anatomical(root / f"sub-{label}", modality)
        if entities.items() <= _entities(file).items()
    ]
    if not scans:
        chosen = "".join(f"_{key}-{value}" for key, value in entities.items())
        name = f"sub-…/anat/…{chosen}_{SUFFIXES.get(modality, modality)}.nii.gz"
        raise UserError(f"{root}: holds no {modality} image ({name}), which the model reads")
    return scans


def _anatomical(subject: Path, modality: str) -> Iterator[Path]:
    for file in sorted([*subject.glob("anat/*.nii*"), *subject.glob("ses-*/anat/*.nii*")]):
        if suffix_of(file) == modality:
            yield file


def suffix_of(path: Path) -> str | None:
    """Return the sequence that the name of a BIDS file states, None for other names."""
    name = parse(path.name)
    return (name.sequence or None) if name else None


def _entities(path: Path) -> dict[str, str]:
    """Return the entities of a BIDS name; any other name becomes a subject of letters and digits."""
    if name := parse(path.name):
        return {key: value for key, value in name.entities.items() if key not in DERIVED}
    return {"sub": re.sub("[^a-zA-Z0-9]", "", ENDING.sub("", path.name)) or "scan"}
