"""Tables that name the labels of a segmentation: `…_dseg.tsv` and `Levels` in `…_dseg.json`, beside the image or above it.

BIDS 1.10, "Derivatives: Imaging data types: Segmentations" and "Inheritance principle".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from madad.core.errors import UserError
from madad.core.io.bids_names import LESION, MASK_WORDS, BidsName, split_name
from madad.data.cohorts.finding.bids_table import read_bids_table

KINDS = (".tsv", ".json")
# Abbreviation of a lesion among the standard labels of BIDS.
ABBREVIATION = "L"
# FreeSurfer's table of colours names all labels that there could be, whether or not an image has them.
OF_FREESURFER = {"left-lesion", "right-lesion"}


class LabelTables:
    """The tables of a data set, by folder; one is opened when a segmentation that it describes is asked about."""

    def __init__(self, root: Path, paths: Iterable[Path]) -> None:
        self._root = root
        self._in_folder: dict[Path, list[tuple[BidsName, Path]]] = {}
        for path in paths:
            if path.suffix in KINDS and (name := split_name(path.stem)).last in MASK_WORDS:
                self._in_folder.setdefault(path.parent, []).append((name, path))

    def lesions(self, path: Path, name: BidsName) -> str:
        """Return the labels of a segmentation that mark lesions, with spaces between; empty if no table names any.

        Args:
            path: the segmentation.
            name: what its name says.
        """
        labels = next((found for found in map(_lesions, self._of(path, name)) if found is not None), [])
        return " ".join(map(str, labels))

    def _of(self, path: Path, name: BidsName) -> Iterator[Path]:
        """Yield the tables that describe a segmentation, the nearest first."""
        for folder in path.parents:
            own = [
                (table.entities.items(), file)
                for table, file in self._in_folder.get(folder, ())
                if table.last == name.last and table.entities.items() <= name.entities.items()
            ]
            yield from (file for _, file in sorted(own, key=lambda one: -len(one[0])))
            if folder == self._root:
                return


def _lesions(table: Path) -> list[int] | None:
    """Return the labels in a table that mark lesions, sorted; None if it names no labels or cannot be read."""
    try:
        rows = _of_tsv(table) if table.suffix == ".tsv" else _of_json(table)
        return sorted(int(index) for index, name, short in rows if _is_lesion(name) or short.strip() == ABBREVIATION)
    except (UserError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _of_tsv(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield index, name and abbreviation of every label."""
    for row in read_bids_table(path).rows:
        lowered = {column.lower(): cell for column, cell in row.items()}
        yield lowered["index"], lowered["name"], lowered.get("abbreviation", "")


def _of_json(path: Path) -> Iterator[tuple[str, str, str]]:
    levels = json.loads(path.read_text(encoding="utf-8"))["Levels"]
    yield from ((index, json.dumps(meaning), "") for index, meaning in levels.items())


def _is_lesion(name: str) -> bool:
    return bool(LESION.search(name)) and name.strip().lower() not in OF_FREESURFER
