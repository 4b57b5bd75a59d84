"""Runs that are killed again and again, and what is left of them beside a quiet one."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import psutil

from tests.workflow.conftest import Project

# What runs while a stage does, as its command line shows it.
STAGES = {
    "preprocessing": r"madad stage preprocess ",
    "training": r"madad stage train ",
    "inference": r"madad stage infer ",
    "evaluation": r"madad stage evaluate ",
    # what looks at the data alone runs early, beside everything else
    "reporting": r"madad stage (provenance|deliver --log results/logs/(?!quality|normalisation|samples|cohorts))",
}
# Times and memory differ between any two runs: columns, keys and rows of these names,
TIMED = re.compile(r"seconds|_per_s$|peak_memory|^Time \(|^Peak memory|^Training \(")
# and what shows them as text or as a picture.
TIMED_FILES = re.compile(
    r"^figures/(cost|quality_numbers)\.|^tables/(cost|headline|quality)\.(html|tex)$|^quality/.*\.html$"
    r"|^landing/(headline|story)\.html$|^report/(index\.html|story\.json)$"
)


# Told of a run, not by it.
ASIDE = ("logs/", "benchmarks/", ".cache/")


@dataclass(frozen=True)
class Kill:
    """One kill: the stage waited for, what ran, seconds since the start, files there were, and whether it was unlocked."""

    stage: str
    running: list[str]
    after_s: float
    files: int
    unlocked: bool


@dataclass
class Chain:
    """A run under kills.

    Attributes:
        project: where it runs. config: what `--config` gives. cores: how many. random: moments of the kills.
    """

    project: Project
    config: tuple[str, ...]
    cores: int = 2
    random: random.Random = field(default_factory=lambda: random.Random(0))

    def kill(self, stages: Sequence[str], patience_s: float = 1800) -> Kill | None:
        """Start the run, kill it at a random moment once one of the stages runs, and unlock it. None when it ended before."""
        begun, process = time.monotonic(), self._start()
        try:
            stage = self._await(process, stages, patience_s)
            time.sleep(self.random.uniform(0, self.random.choice((0.2, 2, 8))))
            if not stage or process.poll() is not None:
                return None
            running, after = _verbs(process), time.monotonic() - begun
        finally:
            kill_tree(process)
        files = sum(path.is_file() for path in (self.project.folder / "results").rglob("*"))
        unlocked = self.project.run("--unlock", config=self.config).returncode == 0
        return Kill(stage, running, after, files, unlocked)

    def finish(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Let it run to its end."""
        return self.project.run("--cores", str(self.cores), *arguments, config=self.config)

    def _start(self) -> subprocess.Popen:
        command = [*self.project.command("--cores", str(self.cores)), "--config", *self.config]
        nowhere = subprocess.DEVNULL
        return subprocess.Popen(
            command,
            cwd=self.project.folder,
            env=self.project.environment(),
            stdout=nowhere,
            stderr=nowhere,
            start_new_session=True,
        )

    def _await(self, process: subprocess.Popen, stages: Sequence[str], patience_s: float) -> str:
        """The first of the stages to run; "" when the run has ended."""
        until = time.monotonic() + patience_s
        while process.poll() is None:
            assert time.monotonic() < until, f"none of {', '.join(stages)} within {patience_s:.0f} s"
            running = "\n".join(_commands(process))
            for stage in stages:
                if re.search(STAGES[stage], running):
                    return stage
            time.sleep(0.05)
        return ""


def run_under_kills(chain: Chain, a_stage: int) -> Iterator[Kill]:
    """Kill the run so often in every stage, then let it run to its end. Yields what was done, kill by kill."""
    open_ = dict.fromkeys(STAGES, a_stage)
    while wanted := [stage for stage, left in open_.items() if left]:
        kill = chain.kill(wanted)
        if kill is None:
            break
        open_[kill.stage] -= 1
        yield kill
    complete(chain)


def complete(chain: Chain) -> None:
    """Run to the end, report included."""
    for arguments in ((), ("--report", "report.html")):
        done = chain.finish(*arguments)
        assert done.returncode == 0, done.stdout[-6000:]


def kill_tree(process: subprocess.Popen) -> None:
    """kill -9 a process and everything of its session, Snakemake first, until nothing of it is left."""
    process.kill()
    process.wait()
    while members := _members(process.pid):
        for member in members:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(members, timeout=30)


def _members(session: int) -> list[psutil.Process]:
    """Processes of a session that are alive, zombies apart."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _commands(process: subprocess.Popen) -> list[str]:
    lines = []
    for member in _members(process.pid):
        with suppress(psutil.NoSuchProcess):
            lines.append(" ".join(member.cmdline()))
    return lines


def _verbs(process: subprocess.Popen) -> list[str]:
    """Verbs and scripts that run."""
    found = re.findall(r"-m madad stage (\w+)|\.snakemake/scripts/\S*?([a-z_]+)\.py", "\n".join(_commands(process)))
    return sorted({verb or script for verb, script in found})


def differences(one: Path, other: Path) -> tuple[list[str], list[str]]:
    """Files below two folders of results that are not the same but for times, and those equal only without their times."""
    names = [{str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} for root in (one, other)]
    different = sorted(f"{name} (in one alone)" for name in names[0] ^ names[1] if not name.startswith(ASIDE))
    timed = []
    for name in sorted(names[0] & names[1]):
        first, second = one / name, other / name
        if name.startswith(ASIDE) or first.read_bytes() == second.read_bytes():
            continue
        same = TIMED_FILES.search(name) or timeless(first) == timeless(second)
        (timed if same else different).append(name)
    return different, timed


def timeless(path: Path) -> object:
    """The content of a file without what depends on the clock and on the memory in use."""
    if path.suffix in (".tsv", ".csv"):
        return list(_rows(path))
    if path.suffix == ".json":
        return _without_times(json.loads(path.read_text()))
    if path.suffix == ".h5":
        return _arrays(path)
    return path.read_bytes()


def _rows(path: Path) -> Iterator[list[str]]:
    rows = csv.reader(io.StringIO(path.read_text()), delimiter="\t" if path.suffix == ".tsv" else ",")
    header = next(rows, [])
    kept = [index for index, name in enumerate(header) if not TIMED.search(name)]
    yield [header[index] for index in kept]
    for row in rows:
        if not any(TIMED.search(value) for value in row):
            yield [row[index] for index in kept]


def _without_times(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_times(entry) for key, entry in value.items() if not TIMED.search(key)}
    return [_without_times(entry) for entry in value] if isinstance(value, list) else value


def _arrays(path: Path) -> dict[str, object]:
    with h5py.File(path) as store:
        attributes = {key: np.asarray(value).tolist() for key, value in store.attrs.items() if not TIMED.search(key)}
        return {
            **attributes,
            **{key: store[key][()].tobytes() for key in store if not TIMED.search(key) and store[key].dtype != object},
        }
