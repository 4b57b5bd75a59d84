"""What all parameters of rules have in common: a rule runs again when the text of one of its parameters changes.

So equal values must give equal text, and what decides a result must be in the text even where it is a file that no rule
names as an input.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from madad.configuration import subject_counts
from madad.core.io.file_types import IMAGE_ENDINGS
from madad.core.provenance import content_hash, file_hash

# Tables of a data set that name or describe its subjects.
TABLES = ("participants.tsv", "IXI.xls", "IXI.tsv", "IXI.csv", "dataset.json")
IMAGES = (*IMAGE_ENDINGS, ".img")
BRACES = set("{}")


def as_json(value: object) -> str:
    """Return a value as one shell argument; equal values give equal text, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True)


def states(paths: Iterable[str | Path]) -> list[tuple[str, int, int]]:
    """Return path, size and time of change of files; a file that does not exist is left out."""
    return [(str(path), os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in paths if os.path.exists(path)]


def contents(paths: Iterable[str | Path]) -> str:
    """Return a hash of the names and bytes of files; one that does not exist is left out."""
    return content_hash([[path, _digest(path, size, time)] for path, size, time in states(paths)])


@cache
def _digest(path: str, size: int, time: int) -> str:
    """Return the hash of a file's bytes; once per process, as many jobs ask for it."""
    return file_hash(path)


def newest(paths: Iterable[str | Path]) -> list[str]:
    """Return the existing file that changed last, or nothing where none exists: for runs in which times alone count.

    A path with braces is left out: Snakemake would take what is between them for a wildcard, and has no way to escape it.
    """
    names = (str(path) for path in paths if not BRACES & set(str(path)))
    times = {path: os.stat(path).st_mtime_ns for path in names if os.path.exists(path)}
    return [max(times, key=lambda path: (times[path], path))] if times else []


@cache
def listing(root: str) -> str:
    """Return a hash of the names, sizes and times of a folder's images and masks, and of the tables that describe them.

    A link to a missing file is left out: data sets that are fetched piece by piece have many.
    """
    return content_hash(sorted(states(images(root))))


def images(root: str) -> list[str]:
    """Return the images and masks below a folder, and the tables that describe them."""
    return [
        os.path.join(folder, name)
        for folder, names in subject_counts.walk(root)
        for name in names
        if name.endswith((*IMAGES, *TABLES))
    ]
