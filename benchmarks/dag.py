"""Measure time, memory and jobs of a dry run, for a study of 1,000 subjects, 20 methods and 5 seeds.

    python -m benchmarks.dag [--subjects 1000] [--methods 20] [--seeds 5] [--testsets 1]

It writes a BIDS folder of tiny images and starts a dry run on it. On a shared machine the CPU time is more reliable than the
elapsed time.
"""

from __future__ import annotations

import argparse
import re
import resource
import tempfile
import time
from pathlib import Path

from tests.workflow.conftest import copy_project
from tests.workflow.studies import make_bids, write_study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=1000)
    parser.add_argument("--methods", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--testsets", type=int, choices=(1, 2), default=1, help="2: implanted lesions as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = make_bids(Path(folder) / "study", arguments.subjects)
        project = copy_project(Path(folder) / "project")
        study = write_study(project, root, arguments.methods, arguments.seeds, arguments.testsets)
        begun = time.perf_counter()
        done = project.run("-n", "--configfile", study, config=("preset=paper",))
        seconds = time.perf_counter() - begun
    assert done.returncode == 0, done.stdout[-3000:]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    jobs = int(re.findall(r"^total +(\d+)$", done.stdout, re.M)[0])
    print(f"{jobs} jobs, {seconds:.1f} s elapsed, {used.ru_utime + used.ru_stime:.1f} s of CPU, {used.ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
