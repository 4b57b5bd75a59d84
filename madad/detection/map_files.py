"""Scores of anomaly maps in files, against reference masks in files that are found by subject and session."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from madad.core.errors import UserError
from madad.core.io import bids_names
from madad.core.io.file_types import image_ending
from madad.core.io.manifest import Row, write_table
from madad.core.io.volumes import grid_difference, load_image, load_mask, read_volume
from madad.core.logs import progress
from madad.detection import scoring

MEAN = "mean"
MAPS, REFERENCES, BRAINS = "MAP", "--references", "--brains"
# What the names of files in folders say that each argument wants.
WANTED: dict[str, Callable[[Path], bool]] = {
    MAPS: lambda path: "_anomalymap." in path.name,
    REFERENCES: lambda path: bool((name := bids_names.parse(path.name)) and name.is_lesion_mask),
    BRAINS: lambda path: bool((name := bids_names.parse(path.name)) and name.is_brain_mask),
}


def score(maps: Sequence[Path], references: Sequence[Path], brains: Sequence[Path], threshold: float | None) -> list[Row]:
    """Return one row of scores for every map, as text by measure, and one of their means.

    A mask belongs to the map with the same subject and session in its BIDS name, or else with the same file name.

    Args:
        maps: NIfTI files, or folders of them.
        references: of lesion masks; an empty one is that of a healthy subject.
        brains: of brain masks.
        threshold: what lies above is predicted; None for measures without one.

    Raises:
        UserError: a map without its masks, or on another grid; all of them in one message.
    """
    files, known = _files(MAPS, maps), {REFERENCES: references, BRAINS: brains}
    masks = {option: _by_image(option, paths) for option, paths in known.items()}
    missing = [f"{file}: no mask among {option}" for file in files for option in masks if _key(file) not in masks[option]]
    if missing:
        raise UserError("\n".join([*missing, "name each mask by the subject (and session) of its map, or like the map itself"]))
    rows = []
    for file in progress(files, "scoring"):
        found = _score(file, *(masks[option][_key(file)] for option in masks), threshold)
        rows.append({"map": file.name, **{key: f"{value:.6g}" for key, value in found.items()}})
    return [*rows, _means(rows)]


def as_text(rows: Sequence[Row]) -> str:
    """Return rows as aligned columns."""
    table = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in table)


def write(rows: Sequence[Row], path: Path) -> None:
    """Write rows as a table, TSV."""
    write_table(path, list(rows), tuple(rows[0]))


def _score(path: Path, reference: Path, brain: Path, threshold: float | None) -> dict[str, float]:
    volume, truth = load_image(path), read_volume(reference)
    if difference := grid_difference(truth, volume):
        raise UserError(f"{reference}: lies on another grid than {path} ({difference}); bring both to one grid")
    inside = load_mask(brain, volume, "brain mask").array
    return scoring.score(volume.array, truth.array > 0, inside, volume.spacing_mm, threshold)


def _means(rows: Sequence[Row]) -> Row:
    values = {key: [float(row[key]) for row in rows if math.isfinite(float(row[key]))] for key in rows[0] if key != "map"}
    return {"map": MEAN, **{key: f"{np.mean(known):.6g}" if known else "nan" for key, known in values.items()}}


def _files(option: str, paths: Sequence[Path]) -> list[Path]:
    """Return the named files, and those in named folders: if any there have names that say what is wanted, these alone."""
    found: list[Path] = []
    for path in paths:
        own = sorted(file for file in path.rglob("*") if image_ending(file.name)) if path.is_dir() else [path]
        if not own or not path.exists():
            raise UserError(f"{option}: {path} is no NIfTI file and no folder with any; correct the path")
        found += [file for file in own if WANTED[option](file)] or own
    return found


def _by_image(option: str, paths: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in _files(option, paths):
        other = found.setdefault(_key(file), file)
        if other != file:
            raise UserError(f"{option}: {other} and {file} belong to one map; give one of them")
    return found


def _key(path: Path) -> str:
    """Return what a map and its masks have in common: subject and session, else the name."""
    name = bids_names.parse(path.name)
    if name is None or "sub" not in name.entities:
        return path.name.removesuffix(image_ending(path.name) or "")
    return "_".join(f"{key}-{name.entities[key]}" for key in ("sub", "ses") if key in name.entities)
