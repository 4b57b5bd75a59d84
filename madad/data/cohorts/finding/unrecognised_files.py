"""The files of other formats in a folder in which no NIfTI image was found."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from madad.core.io.file_types import Kind, kind_of_file

# A folder may contain millions of DICOM files; the first ones show what it is.
MOST_FILES = 2000


def foreign_files(root: str | Path) -> str | None:
    """Return a description of the images of other formats in a folder and of their converter; None if there are none."""
    first: dict[Kind, Path] = {}
    counts: Counter[Kind] = Counter()
    looked_at = 0
    for path in islice(_files(Path(root)), MOST_FILES):
        looked_at += 1
        kind = kind_of_file(path)
        if kind:
            counts[kind] += 1
            first.setdefault(kind, path)
    if not counts:
        return None
    kind, count = counts.most_common(1)[0]
    among = f"{count} of its {'first ' if looked_at == MOST_FILES else ''}{looked_at} files"
    return f"{among} are not NIfTI, such as {first[kind]}: {kind.name}; {kind.remedy}"


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))
