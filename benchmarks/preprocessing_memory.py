"""Measure whether the memory of a preprocessing shard grows with its number of subjects.

    python -m benchmarks.preprocessing_memory [--subjects 12] [--root DIR --modality T1w] [--spacing-mm 3] [--folder DIR]

Subjects are preprocessed one after the other in this process, as in a shard. Without a BIDS folder, one phantom head is used
under many names. The slope is that of a line through the resident memory after each subject, without the first few subjects,
during which templates and libraries are loaded.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import psutil
import yaml

from madad.configuration import settings as configuration
from madad.core.provenance import ROOT
from madad.data.cohorts import bids, phantom
from madad.data.cohorts.finding.manifest_rows import read
from madad.data.preprocessing import shards

WARMING_UP = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--root", type=Path, help="a BIDS folder; one phantom by default")
    parser.add_argument("--modality", default="FLAIR")
    parser.add_argument("--spacing-mm", type=float, default=3.0)
    parser.add_argument("--folder", help="for the results; a temporary folder by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        cohort, options = settings(arguments, Path(folder))
        rows = read(bids.find, Path(cohort["root"]), cohort, [arguments.modality]).rows
        if not arguments.root:
            rows = [{**rows[0], "subject": f"sub-{number:03d}"} for number in range(arguments.subjects)]
        used = [measure(row, number, options, Path(folder)) for number, row in enumerate(rows[: arguments.subjects], start=1)]
    if len(used) > WARMING_UP + 1:
        slope = np.polyfit(range(len(used) - WARMING_UP), used[WARMING_UP:], 1)[0]
        print(f"growth {slope:.1f} MB per subject after the first {WARMING_UP}")


def settings(arguments: argparse.Namespace, folder: Path) -> tuple[dict, dict]:
    """Return the options of the cohort and those of its preprocessing."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    kind = {"kind": "bids", "root": str(arguments.root)} if arguments.root else {"kind": "phantom"}
    raw |= {"cohorts": {"one": kind}, "train_on": ["one"], "test_on": ["one"], "methods": ["intensity"]}
    raw |= {"modalities": [arguments.modality], "pipelines": {"standard": {"spacing_mm": arguments.spacing_mm}}}
    resolved = configuration.resolve(raw)
    cohort = resolved["cohorts"]["one"]
    if not arguments.root:
        cohort |= {"root": str(folder / "bids"), "healthy": 1, "patients": 0, "spacing_mm": 2.0}
        phantom.build(folder / "bids", cohort, 1)
    chosen = ("skull_strip", "skull_strip_command")
    return cohort, {**resolved["pipelines"]["standard"], **{key: cohort[key] for key in chosen if key in cohort}}


def measure(row: dict, number: int, options: dict, folder: Path) -> float:
    """Preprocess one image and return the resident memory afterwards in MB."""
    begun = time.perf_counter()
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        shards.run([row], 0, 1, folder / "subjects", options, folder / "table.tsv")
    now = psutil.Process().memory_info().rss / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{number:4} {row['subject']:12} {time.perf_counter() - begun:7.1f} s  {now:7.0f} MB now  {peak:7.0f} MB peak", flush=True
    )
    return now


if __name__ == "__main__":
    main()
