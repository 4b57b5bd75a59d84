"""What `madad run` prints while it runs: one line of progress with the time left, and in the end why jobs failed.

`--logger madad` asks for it. The one part of the package that knows Snakemake's interface.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from logging import WARNING, LogRecord
from typing import Any, TextIO

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from madad.workflow.progress import Job, Progress, reason

# Seconds between two lines.
EVERY_S = 15.0
# Wildcards that say which job of a rule it is, in the order of reading.
TOLD = ("method", "cohort", "testset", "modality", "seed", "split", "pipeline", "shard")


class LogHandler(LogHandlerBase):
    """Prints the progress of a run to stderr instead of every job; warnings and errors as Snakemake words them."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        self.stream: TextIO = sys.stderr
        self.progress = Progress(time.monotonic())
        self.failed: dict[str, list[str]] = {}
        self.told = -EVERY_S

    def emit(self, record: LogRecord) -> None:
        """Take one record of Snakemake's, and print what people need of it."""
        event = getattr(record, "event", None)
        if event in TAKEN:
            TAKEN[event](self, vars(record))
        elif event == LogEvent.ERROR:
            if not self.failed:  # why a job failed is told in the end
                self._print(record.getMessage())
        elif event is None and not getattr(record, "quietness", None) and self._worth_printing(record):
            self._print(record.getMessage())

    def close(self) -> None:
        """Say in the end which jobs failed, in three lines each."""
        for name, logs in self.failed.items():
            self._print(f"failed: {name}\n  {reason(logs)}\n  whole log: {', '.join(logs) or 'none'}")
        self.failed = {}
        super().close()

    def _planned(self, told: Mapping[str, Any]) -> None:
        # told again when checkpoints have shown more jobs
        stats = {rule: int(count) for rule, count in told["stats"].items() if rule != "total"}
        self.progress.planned = stats

    def _info(self, told: Mapping[str, Any]) -> None:
        wildcards = dict(told.get("wildcards") or {})
        words = dict.fromkeys([told["rule_name"], *(str(wildcards[name]) for name in TOLD if name in wildcards)])
        logs = [str(log) for log in told.get("log") or []]
        self.progress.running[told["jobid"]] = Job(told["rule_name"], " ".join(words), logs, time.monotonic())

    def _finished(self, told: Mapping[str, Any]) -> None:
        self.progress.finish(told["job_id"], time.monotonic())

    def _error(self, told: Mapping[str, Any]) -> None:
        job = self.progress.running.pop(told["jobid"], None)
        name = job.name if job else str(told.get("rule_name"))
        self.failed[name] = job.logs if job else [str(log) for log in told.get("log") or []]
        self._print(f"failed: {name}")

    def _tell(self, told: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if now - self.told >= EVERY_S or self.progress.done == self.progress.total:
            self.told = now
            self._print(self.progress.line(now))

    def _worth_printing(self, record: LogRecord) -> bool:
        text = record.getMessage().strip()
        return record.levelno >= WARNING or (bool(text) and not text.startswith(CHATTER))

    def _print(self, text: str) -> None:
        print(text.rstrip(), file=self.stream, flush=True)


TAKEN = {
    LogEvent.RUN_INFO: LogHandler._planned,
    LogEvent.JOB_INFO: LogHandler._info,
    LogEvent.JOB_STARTED: LogHandler._tell,
    LogEvent.JOB_FINISHED: LogHandler._finished,
    LogEvent.JOB_ERROR: LogHandler._error,
    LogEvent.PROGRESS: LogHandler._tell,
}
# How Snakemake's remarks on its own work begin.
CHATTER = ("Select jobs", "Execute ", "Building DAG", "Using shell", "Provided ", "Assuming ", "Using workflow specific", "host:")
