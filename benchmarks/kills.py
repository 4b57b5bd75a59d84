"""Kill a run many times, and compare every file with those of an undisturbed run.

    python -m benchmarks.kills [--kills 20] [--seed 0] [--cores 2] [--folder DIR]

The run uses the smoke preset with three kinds of methods: one without training, one with training, and one that requires another
method. Preprocessing, training, inference, evaluation and reporting take turns: at a random moment of the stage all processes are
killed with `kill -9`, and the run is unlocked and restarted. Finally it runs to its end, including the report. The comparison
leaves out times and memory.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from tests.workflow.conftest import copy_project
from tests.workflow.killing import STAGES, Chain, complete, differences, run_under_kills

CONFIG = (
    "preset=smoke",
    "cohorts={phantom: {kind: phantom, skull_strip: given}}",
    "pipelines={standard: {bias_field: none}}",
    "test_on=[phantom]",
    "methods=[intensity, ddpm, mhd]",
    "method_options={ddpm: {training: {steps: 30, checkpoint_every_s: 0}}}",
    "evaluation={bootstrap: 100}",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="for the two runs; a temporary folder by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        quiet = Chain(copy_project(folder / "quiet"), CONFIG, arguments.cores)
        chain = Chain(copy_project(folder / "killed"), CONFIG, arguments.cores, random.Random(arguments.seed))
        begun = time.perf_counter()
        complete(quiet)
        print(f"quiet run: {time.perf_counter() - begun:.0f} s", flush=True)
        print(f"{'kill':>4} {'stage':14} {'after s':>8} {'files':>6}  running")
        kills = []
        for kill in run_under_kills(chain, -(-arguments.kills // len(STAGES))):
            kills.append(kill)
            print(f"{len(kills):4} {kill.stage:14} {kill.after_s:8.1f} {kill.files:6}  {', '.join(kill.running)}", flush=True)
        different, timed = differences(quiet.project.folder / "results", chain.project.folder / "results")
    print(f"{len(kills)} kills, unlocked after {sum(kill.unlocked for kill in kills)}")
    print(f"{len(different)} files differ" + "".join(f"\n  {name}" for name in different))
    print(f"{len(timed)} files differ in times and memory alone" + "".join(f"\n  {name}" for name in timed))


if __name__ == "__main__":
    main()
