"""Count the subjects of a cohort by file names alone: enough to divide its work and to forecast its disk space."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from madad.configuration import cohort_cards
from madad.configuration.schema import Options

# A shard is one job: long enough to justify the start of a job, short enough to run in parallel with others.
SUBJECTS_PER_SHARD = 40


def subjects(cohort: Options) -> int:
    """Return the number of subjects in the folder of a cohort; some may turn out to be unusable.

    Args:
        cohort: complete options of a cohort.
    """
    if made := cohort_cards.made_subjects(cohort):
        found = sum(made)
    elif cohort.get("download"):  # not downloaded yet, or not completely
        found = cohort_cards.card(cohort["kind"])["download"]["subjects"]
    else:
        found = _listed(str(cohort["root"]), cohort["kind"])
    return min(found, cohort.get("limit") or found)


def shards(cohort: Options) -> int:
    """Return the number of preprocessing jobs of a cohort for which the configuration sets none."""
    number = subjects(cohort)
    return max(min(2, number), -(-number // SUBJECTS_PER_SHARD), 1)


def walk(root: str | Path, hidden: bool = True) -> Iterator[tuple[str, list[str]]]:
    """Yield the folders below a root with the names of their files, optionally without hidden ones.

    Links are followed; each folder is visited once, so that a link to a parent folder does not loop.
    """
    seen: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        if not hidden:
            below[:] = sorted(name for name in below if not name.startswith("."))
            names = [name for name in names if not name.startswith(".")]
        yield folder, names


@cache
def _listed(root: str, kind: str) -> int:
    if kind == "bids":
        return sum(path.is_dir() for path in Path(root).glob("sub-*"))
    name, labels = cohort_cards.card(kind)["subject"], set()
    for folder, files in walk(root):
        inside = os.path.relpath(folder, root)
        for file in files:
            if file.endswith((".nii", ".nii.gz")):
                match = re.search(name, f"{inside}/{file}")
                labels.add(match.group() if match else inside)
    return len(labels)
