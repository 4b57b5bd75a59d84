"""File names by the Brain Imaging Data Structure: what they say about a file, and the filters that choose among files.

This is the only place where such names are taken apart: for cohorts, for the check of a configuration, and for scans to predict.
The names are taken apart here and not by a library. Measured on a tree of 10,000 files: pybids 0.22 needs 42 s and 28 packages;
bids2table 2.3 needs 1.9 s, but 200 MB with pyarrow, and lists neither derivatives nor names such as `_lesion-manual`;
ancpbids 0.4 needs 2.7 s with its queries and finds the same files, but would leave to us what names mean that are not BIDS.
This module and `madad.data.cohorts.finding.bids_files` need 1.5 s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from madad.core.io.file_types import image_ending

# Short and long names of the entities that tell images and masks apart (BIDS 1.9, appendix "Entities").
ENTITIES = {
    "sub": "subject",
    "ses": "session",
    "acq": "acquisition",
    "ce": "ceagent",
    "rec": "reconstruction",
    "dir": "direction",
    "run": "run",
    "echo": "echo",
    "flip": "flip",
    "inv": "inversion",
    "mt": "mtransfer",
    "part": "part",
    "proc": "processing",
    "hemi": "hemisphere",
    "space": "space",
    "split": "split",
    "chunk": "chunk",
    "res": "resolution",
    "den": "density",
    "label": "label",
    "desc": "description",
}
SHORT = {long: short for short, long in ENTITIES.items()}
SUFFIX = "suffix"
# Last words of the names of masks; those with another meaning, such as probseg, are no masks.
MASK_WORDS = {"mask", "masks", "msk", "roi", "dseg", "seg", "segmentation", "label", "labels", "manual", "labelmap"}
LESION = re.compile(r"(?<!non)(?<!peri)(lesion|tumou?r|infarct|stroke|wmh|glioma|metasta)(?!free|fill)", re.IGNORECASE)
BRAIN = re.compile(r"brain.*(mask|roi)$", re.IGNORECASE)
# BIDS marks a T1w image after contrast agent by an entity; here it is a sequence of its own, as it looks different.
CONTRAST_AGENT = {"T1w": "T1ce"}
# FreeSurfer writes a subject's volumes under fixed names into the folder `mri`, all on one grid; the first that exists is used.
FREESURFER = {"orig.mgz": "T1w", "T1.mgz": "T1w", "T2.mgz": "T2w", "FLAIR.mgz": "FLAIR"}
# Maps of probabilities show no anatomy and mark nothing.
PROBABILITIES = "probseg"
# Entities that say which image a mask belongs to, not what it marks.
PLACE = {"sub", "ses", "acq", "ce", "rec", "dir", "run", "echo", "part", "space", "res", "den", "task", "site"}

Value = str | int | None
Filter = Mapping[str, Value | Sequence[Value]]


@dataclass(frozen=True)
class BidsName:
    """The name of an image or a mask.

    Attributes:
        entities: values by short key, such as {"sub": "01", "acq": "highres"}.
        words: the parts without a key; one alone, at the end, is the suffix.
        last: the last part.
    """

    entities: Mapping[str, str]
    words: tuple[str, ...]
    last: str

    @property
    def subject(self) -> str:
        """The label with its prefix, as in `sub-01`."""
        return f"sub-{self.entities['sub']}"

    @property
    def session(self) -> str:
        """The label with its prefix, or an empty text."""
        return f"ses-{self.entities['ses']}" if "ses" in self.entities else ""

    @property
    def suffix(self) -> str:
        """The sequence or the kind of file; empty if the name does not follow BIDS."""
        return self.last if self.words == (self.last,) else ""

    @property
    def sequence(self) -> str:
        """The sequence of an image; empty for masks, maps of probabilities, and names that do not follow BIDS."""
        if not self.suffix or self.is_mask or self.suffix == PROBABILITIES:
            return ""
        return CONTRAST_AGENT.get(self.suffix, self.suffix) if "ce" in self.entities else self.suffix

    @property
    def meaning(self) -> str:
        """The parts that say what a mask marks: never the label of the subject, the session or the acquisition."""
        told = [f"{key}-{value}" for key, value in self.entities.items() if key not in PLACE]
        return "_".join([*told, *self.words])

    @property
    def is_brain_mask(self) -> bool:
        """Whether the name is that of a brain mask."""
        return bool(BRAIN.search(self.meaning))

    @property
    def is_mask(self) -> bool:
        """Whether the name is that of a mask or of a map of labels."""
        return self._ends_as_mask or self._ends_in_lesion

    @property
    def is_lesion_mask(self) -> bool:
        """Whether the name says that the file marks lesions."""
        return not self.is_brain_mask and (self._ends_in_lesion or (self._ends_as_mask and bool(LESION.search(self.meaning))))

    @property
    def _ends_as_mask(self) -> bool:
        return self.last.lower() in MASK_WORDS

    @property
    def _ends_in_lesion(self) -> bool:
        key = self.last.partition("-")[0]
        return bool(LESION.search(self.last)) and key not in PLACE and (key not in ENTITIES or key == "label")


def parse(name: str) -> BidsName | None:
    """Return what a file name says, or None if it does not begin with a subject or is no image's."""
    ending = image_ending(name)
    if not ending or not re.match(r"sub-[A-Za-z0-9]+[_.]", name):
        return None
    return split_name(name[: -len(ending)])


def split_name(stem: str) -> BidsName:
    """Return what a name without its ending says; that of a table for several subjects names none."""
    parts = stem.split("_")
    keyed = [part.partition("-") for part in parts if "-" in part]
    return BidsName({key: value for key, _, value in keyed}, tuple(part for part in parts if "-" not in part), parts[-1])


def sequence_of(path: str) -> str:
    """Return the sequence of a file below the root of a data set; empty for what is no image of a subject."""
    folder, _, last = path.rpartition("/")
    if folder.startswith("sub-") and folder.endswith("/mri") and last in FREESURFER:
        return FREESURFER[last]
    name = parse(last)
    return name.sequence if name and name.subject == path.partition("/")[0] else ""


def selects(wanted: Filter, name: BidsName) -> bool:
    """Return whether a name has the entities that a filter asks for.

    Args:
        wanted: by short or long key of an entity, or `suffix`: a value, several of which any will do, or None for no such entity.
        name: of a file.
    """
    return all(_is_one(_entity(name, key), value) for key, value in wanted.items())


def differing(names: Sequence[BidsName]) -> dict[str, list[str]]:
    """Return the entities in which names differ, with the values that occur; an empty text where the entity is absent."""
    keys = dict.fromkeys(key for name in names for key in name.entities)
    values = {key: sorted({name.entities.get(key, "") for name in names}) for key in keys}
    return {key: found for key, found in values.items() if len(found) > 1}


def index(text: str) -> int:
    """Return the number of a run or an echo; 0 if there is none."""
    return int(text) if text.isdigit() else 0


def masked(path: Path, root: Path) -> str:
    """Return a path below the root with `*` in place of labels and numbers: equal for the same file of other subjects."""
    below = path.relative_to(root) if path.is_relative_to(root) else path
    text = re.sub(r"(sub|ses)-[A-Za-z0-9]+", r"\1-*", below.as_posix())
    return text if "sub-*" in text else re.sub(r"\d+", "*", text)


def _entity(name: BidsName, key: str) -> str:
    return name.suffix if key == SUFFIX else name.entities.get(SHORT.get(key, key), "")


def _is_one(found: str, wanted: Value | Sequence[Value]) -> bool:
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return any(_is_one(found, value) for value in wanted)
    text = "" if wanted is None else str(wanted)
    same_number = found.isdigit() and text.isdigit() and int(found) == int(text)
    return same_number or found.lower() == text.lower()
