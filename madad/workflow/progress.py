"""How far a run is, how long the rest will take, and why a job failed.

Snakemake counts jobs, of which a table takes a second and a training hours. Here a job counts with the time that others of its
rule took, and before there is one with that of the default run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from madad.core.logs import duration

# Seconds of a job in the default run on one core, where they are not those of a table.
SECONDS = {
    "preprocess": 60.0,
    "cohort": 30.0,
    "train": 15.0,
    "infer": 12.0,
    "ceilings": 8.0,
    "bank": 5.0,
    "evaluate": 5.0,
    "implant": 5.0,
}
OF_A_TABLE = 2.0
# Lines of a log that are not the reason: progress, and a traceback's own lines.
NO_REASON = ("Traceback", "  File", "    ")


@dataclass
class Job:
    """A job that was started.

    Attributes:
        rule: its rule.
        name: rule and wildcards, for people.
        logs: its log files.
        started: seconds of a monotonic clock.
    """

    rule: str
    name: str
    logs: list[str]
    started: float


@dataclass
class Progress:
    """The jobs of a run by rule, and the time that they took.

    Attributes:
        planned: jobs by rule.
        started: of the run, seconds of a monotonic clock.
    """

    started: float
    planned: dict[str, int] = field(default_factory=dict)
    running: dict[int, Job] = field(default_factory=dict)
    finished: dict[str, list[float]] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Number of finished jobs."""
        return sum(map(len, self.finished.values()))

    @property
    def total(self) -> int:
        """Number of planned jobs."""
        return sum(self.planned.values())

    def finish(self, number: int, now: float) -> None:
        """Count a job as finished."""
        if job := self.running.pop(number, None):
            self.finished.setdefault(job.rule, []).append(now - job.started)

    def seconds_left(self, now: float) -> float | None:
        """Return how long the rest will take at the pace so far; None before a job has finished.

        The pace is the expected time of what is finished over the time since the start: it holds how many jobs run at a time, and
        how fast the machine is.
        """
        finished = sum(len(times) * self._expected(rule) for rule, times in self.finished.items())
        under_way = sum(min(now - job.started, self._expected(job.rule)) for job in self.running.values())
        whole = sum(count * self._expected(rule) for rule, count in self.planned.items())
        if not finished or now <= self.started:
            return None
        return max(whole - finished - under_way, 0.0) * (now - self.started) / (finished + under_way)

    def _expected(self, rule: str) -> float:
        times = self.finished.get(rule)
        return sum(times) / len(times) if times else SECONDS.get(rule, OF_A_TABLE)

    def line(self, now: float) -> str:
        """Return the line of progress."""
        left = self.seconds_left(now)
        time_left = "" if left is None else f", about {duration(left)} left"
        names = ", ".join(job.name for job in list(self.running.values())[:4])
        more = f" and {len(self.running) - 4} more" if len(self.running) > 4 else ""
        return f"{self.done} of {self.total} jobs, {duration(now - self.started)}{time_left}; running: {names or 'nothing'}{more}"


def reason(logs: list[str]) -> str:
    """Return the last line of a job's logs that says something."""
    for log in map(Path, logs):
        if log.is_file():
            lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
            said = [line.strip() for line in lines if not line.startswith(NO_REASON)]
            if said:
                return said[-1]
    return "it said nothing; out of memory, or stopped from outside?"
