"""Compute what a large study costs in CPU hours, from the times that a finished run has recorded.

    python -m benchmarks.study_cost PROJECT --cohort phantom --testset phantom-implanted [--subjects 10000] [--mapped 0.3]

PROJECT is the folder of the run, whose `results/benchmarks` has the CPU time of every job. The study has the methods, sizes and
steps of that run. Preprocessing and inference grow with the subjects; the cheapest inference is taken for what starting a job
costs, which does not. Trainings have a fixed number of steps. Evaluations, tables and reports, which the run does not time,
are not counted.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from madad.core.io.hdf5 import Pack

HOUR = 3600


@dataclass(frozen=True)
class Rates:
    """CPU seconds measured in a run.

    Attributes:
        preprocessing: per image.
        training: per seed, of all methods and parts together.
        start: of an inference that has nothing to compute.
        inference: per volume, of all methods together.
        methods: number of methods that were applied.
        slowest: per volume, of the method whose inference is the slowest.
    """

    preprocessing: float
    training: float
    start: float
    inference: float
    methods: int
    slowest: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--cohort", required=True)
    parser.add_argument("--testset", required=True)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--mapped", type=float, default=0.3, help="share of the subjects that are mapped: validation and test")
    parser.add_argument("--cores", type=int, default=256)
    arguments = parser.parse_args()
    rates = measured(arguments.project / "results", arguments.cohort, arguments.testset)
    seconds = costs(rates, arguments.subjects, arguments.seeds, arguments.mapped)
    print(f"{arguments.subjects:,} subjects, {rates.methods} methods, {arguments.seeds} seeds, {arguments.mapped:.0%} mapped")
    print("| stage | measured, CPU seconds | CPU hours |\n|---|---|---|")
    words = {
        "preprocessing": f"{rates.preprocessing:.1f} an image",
        "training": f"{rates.training:.0f} a seed, all methods",
        "inference": f"{rates.inference:.2f} a volume, all methods; {rates.start:.1f} a job",
    }
    for stage, spent in seconds.items():
        print(f"| {stage} | {words[stage]} | {spent / HOUR:.1f} |")
    total = sum(seconds.values())
    print(f"| sum | | {total / HOUR:.1f} |")
    longest = rates.slowest * arguments.subjects * arguments.mapped / HOUR
    print(
        f"On {arguments.cores} cores at least {total / arguments.cores / HOUR:.1f} h; the longest inference takes {longest:.1f} h"
    )


def costs(rates: Rates, subjects: int, seeds: int, mapped: float) -> dict[str, float]:
    """Return the CPU seconds of a study by stage."""
    return {
        "preprocessing": rates.preprocessing * subjects,
        "training": rates.training * seeds,
        "inference": (rates.inference * subjects * mapped + rates.start * rates.methods) * seeds,
    }


def measured(results: Path, cohort: str, testset: str) -> Rates:
    """Return the rates of a finished run with one seed."""
    recorded = results / "benchmarks"
    images = sum(_rows(path) for path in (results / "quality" / cohort).glob("*.tsv"))
    mapped = 1 + sum(
        _length(path) for path in (results / "packs" / testset).glob("*/*.h5")
    )  # inference maps the first volume twice
    preprocessing = [_seconds(path) for path in (recorded / "preprocess" / cohort).rglob("*.jsonl")]
    training = [_seconds(path) for path in (recorded / "train" / cohort).rglob("seed0.jsonl")]
    inference = [_seconds(path) for path in (recorded / "infer").rglob(f"seed0/{testset}.jsonl")]
    start = min(inference)
    return Rates(
        preprocessing=sum(preprocessing) / images,
        training=sum(training),
        start=start,
        inference=sum(job - start for job in inference) / mapped,
        methods=len(inference),
        slowest=(max(inference) - start) / mapped,
    )


def _length(path: Path) -> int:
    with Pack(path) as pack:
        return len(pack)


def _rows(table: Path) -> int:
    return len(table.read_text().splitlines()) - 1


def _seconds(path: Path) -> float:
    """Return the CPU seconds of a job from the line that Snakemake wrote last."""
    return float(json.loads(path.read_text().splitlines()[-1])["cpu_time"])


if __name__ == "__main__":
    main()
