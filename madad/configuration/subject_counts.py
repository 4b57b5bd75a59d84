"""How many subjects a cohort will have, counted by names alone: enough to divide its work and to foresee its disk."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from madad.configuration import cohort_cards
from madad.configuration.schema import Options

# A shard is one job: long enough to be worth a job's start, short enough to run beside others.
SUBJECTS_A_SHARD = 40
# For kinds whose cards do not say how an image names its subject: every folder with images counts as one.
NEVER = r"$^"


def subjects(cohort: Options) -> int:
    """Number of subjects of a cohort, as its folder has it; some may turn out to be of no use.

    Args:
        cohort: options of a cohort, complete.
    """
    if cohort["kind"] == "phantom":
        found = cohort["healthy"] + cohort["patients"]
    elif cohort.get("download"):  # not fetched yet, or not all of it
        found = cohort_cards.card(cohort["kind"])["download"]["subjects"]
    else:
        found = _listed(str(cohort["root"]), cohort["kind"])
    return min(found, cohort.get("limit") or found)


def shards(cohort: Options) -> int:
    """Number of jobs that a cohort's preprocessing is divided into, where the configuration names none."""
    number = subjects(cohort)
    return max(min(2, number), -(-number // SUBJECTS_A_SHARD), 1)


def walk(root: str | Path, hidden: bool = True) -> Iterator[tuple[str, list[str]]]:
    """Folders below a root with the names of their files, on demand without hidden ones. Links are followed; each folder
    comes once, so that a link to a folder above is no maze.
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
    name, labels = cohort_cards.card(kind).get("subject", NEVER), set()
    for folder, files in walk(root):
        inside = os.path.relpath(folder, root)
        for file in files:
            if file.endswith((".nii", ".nii.gz")):
                match = re.search(name, f"{inside}/{file}")
                labels.add(match.group() if match else inside)
    return len(labels)
