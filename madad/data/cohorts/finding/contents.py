"""What the files of a cohort held when it was last read: a file with another time and the same bytes changes nothing.

Whether a job runs again is decided before it runs, by the text of its parameters. The text of a cohort is made of sizes and
times, which cost nothing, and stays that of the last reading as long as every file holds the same bytes. Only files whose time
changed since then are opened for that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from madad.core.io.file_types import voxel_file
from madad.core.logs import progress
from madad.core.provenance import content_hash, file_hash, write_json
from madad.data.cohorts.finding.found_files import Found

# Instead of a text: what the run itself makes or downloads is followed by its files.
MADE_HERE = "made here"
NAME = "contents.json"
# Size in bytes and time of change in ns.
State = list[int]


def write(folder: Path, text: str, found: Found) -> None:
    """Record what the files of a cohort hold.

    Args:
        folder: of the cohort's results.
        text: from `text`, under which the cohort is read.
        found: what the reading sees.
    """
    files = {file: _entry(file) for file in progress(_files(found.files), "recording what the images hold")}
    write_json(folder / NAME, {"text": text, "facts": content_hash(found.facts), "files": files})


def text(folder: Path, found: Found) -> str:
    """Return a text that changes with what decides the rows of a manifest, and with the bytes of the files that they name.

    Args:
        folder: of the cohort's results.
        found: what a reading would see now.

    Returns:
        The text of the last reading if everything is as it was, else a new one. Without a record times decide.
    """
    record, files = _record(folder), _files(found.files)
    now = content_hash([found.facts, [[file, *_state(file)] for file in files]])
    return record["text"] if record and _is_same(record, found, files) else now


def refresh(folder: Path, found: Found) -> None:
    """Record the times of files that hold the same bytes as before, so that they need not be opened again."""
    record, files = _record(folder), _files(found.files)
    if record and _is_same(record, found, files):
        states = {file: [*_state(file), record["files"][file][-1]] for file in files}
        if states != record["files"]:
            write_json(folder / NAME, {**record, "files": states})


def _record(folder: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((folder / NAME).read_text())
        return record if record.keys() >= {"text", "facts", "files"} else None
    except (OSError, ValueError, AttributeError):
        return None


def _is_same(record: dict[str, Any], found: Found, files: list[str]) -> bool:
    if record["facts"] != content_hash(found.facts) or record["files"].keys() != set(files):
        return False
    return all(_holds(file, *record["files"][file]) for file in files)


def _holds(file: str, size: int, time: int, digest: str) -> bool:
    """Return whether a file holds what it held; one that could not be read then counts as changed with its time."""
    now = _state(file)
    return now == [size, time] or (now[0] == size and bool(digest) and _digest(file) == digest)


def _files(names: Iterable[str]) -> list[str]:
    """Return the files, of an image in two files both, sorted."""
    both = {str(file) for name in names for file in (name, voxel_file(name))}
    return sorted(file for file in both if os.path.isfile(file))


def _state(file: str) -> State:
    found = os.stat(file)
    return [found.st_size, found.st_mtime_ns]


def _entry(file: str) -> list[int | str]:
    before = _state(file)  # a file that changes while it is read must not count as known
    return [*before, _digest(file)]


def _digest(file: str) -> str:
    try:
        return file_hash(file)
    except OSError:
        return ""
