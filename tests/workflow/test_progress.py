"""What a run prints while it runs."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from madad.cli.running import PLUGINS
from madad.workflow import progress
from madad.workflow.plugins.snakemake_logger_plugin_madad.handler import LogHandler
from madad.workflow.progress import Job, Progress
from tests.workflow.conftest import ROOT

SNAKEFILE = """
rule all:
    input: "good.txt", "bad.txt"

rule train:
    output: "good.txt"
    log: "good.log"
    shell: "touch {output}"

rule infer:
    output: "bad.txt"
    log: "bad.log"
    shell: "echo 'sub-01: no brain was found; give a mask' > {log}; exit 1"
"""


def run_of(planned: dict[str, int], finished: dict[str, list[float]], **running: float) -> Progress:
    """A run that began at second 0, with jobs that began at the seconds given by rule."""
    jobs = {number: Job(rule, rule, [], began) for number, (rule, began) in enumerate(running.items())}
    return Progress(0.0, planned, jobs, finished)


def test_the_time_left_counts_what_jobs_cost_and_not_how_many_they_are() -> None:
    # ten of eleven jobs are done in 10 s, but the last one is a training, which takes 15 times as long
    run = run_of({"train": 1, "story": 10}, {"story": [1.0] * 10})
    assert run.seconds_left(10.0) == pytest.approx(progress.SECONDS["train"])


def test_jobs_take_as_long_as_those_of_their_rule_before() -> None:
    run = run_of({"train": 4}, {"train": [100.0, 300.0]})
    assert run.seconds_left(200.0) == pytest.approx(200.0)  # two at a time: 400 s of work in 200 s


def test_what_running_jobs_have_done_counts() -> None:
    run = run_of({"train": 2}, {"train": [100.0]}, train=100.0)
    assert run.seconds_left(150.0) == pytest.approx(50.0)


def test_nothing_is_promised_before_a_job_has_finished() -> None:
    run = run_of({"train": 2}, {}, train=0.0)
    assert run.seconds_left(5.0) is None and "left" not in run.line(5.0)


def told(handler: LogHandler, event: LogEvent | None, text: str = "", level: int = logging.INFO, **more: Any) -> None:
    record = logging.LogRecord("snakemake", level, "", 0, text, None, None)
    vars(record).update(more if event is None else {"event": event, **more})
    handler.emit(record)


@pytest.fixture
def handler() -> LogHandler:
    made = LogHandler(None, None)  # ty: ignore[invalid-argument-type]  # the settings are not read
    made.stream = io.StringIO()
    return made


def written(handler: LogHandler) -> str:
    assert isinstance(handler.stream, io.StringIO)
    return handler.stream.getvalue()


def test_a_line_names_the_jobs_that_run(handler: LogHandler) -> None:
    told(handler, LogEvent.RUN_INFO, stats={"train": 3, "total": 3})
    wildcards = {"method": "ddpm", "cohort": "ixi", "modality": "T1w", "seed": "0"}
    told(handler, LogEvent.JOB_INFO, jobid=7, rule_name="train", wildcards=wildcards, log=["a.log"])
    told(handler, LogEvent.JOB_STARTED, jobs=[7])
    assert written(handler) == "0 of 3 jobs, 0 s; running: train ddpm ixi T1w 0\n"


def test_a_failed_job_is_explained_in_three_lines_at_the_end(handler: LogHandler, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text('training: 3/60\nTraceback (most recent call last):\n  File "x.py", line 1\nValueError: too few slices\n')
    told(handler, LogEvent.JOB_INFO, jobid=7, rule_name="train", wildcards={"method": "ddpm"}, log=[str(log)])
    told(handler, LogEvent.JOB_ERROR, jobid=7)
    handler.close()
    assert written(handler).splitlines()[1:] == ["failed: train ddpm", "  ValueError: too few slices", f"  whole log: {log}"]


def test_remarks_of_snakemake_on_itself_are_left_out_and_warnings_are_not(handler: LogHandler) -> None:
    told(handler, None, "Select jobs to execute...")
    told(handler, None, "soop: 470 slices")
    told(handler, None, "Building DAG of jobs... failed", logging.ERROR)
    assert written(handler) == "soop: 470 slices\nBuilding DAG of jobs... failed\n"


def test_what_stops_a_run_before_its_first_job_is_printed(handler: LogHandler) -> None:
    told(handler, LogEvent.ERROR, "the run needs subjects of clinic", logging.ERROR, exception="WorkflowError")
    assert written(handler) == "the run needs subjects of clinic\n"


def test_what_stops_a_run_after_a_failed_job_is_not_told_twice(handler: LogHandler) -> None:
    told(handler, LogEvent.JOB_INFO, jobid=7, rule_name="train", wildcards={}, log=[])
    told(handler, LogEvent.JOB_ERROR, jobid=7)
    told(handler, LogEvent.ERROR, "At least one job did not complete successfully.", logging.ERROR, exception="WorkflowError")
    assert written(handler) == "failed: train\n"


@pytest.mark.slow
def test_snakemake_finds_the_handler_and_tells_it_what_failed(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--keep-going", "--logger", "madad"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PLUGINS), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stderr
    assert done.returncode == 1 and "rule train" not in said
    assert "failed: infer\n  sub-01: no brain was found; give a mask\n  whole log: bad.log\n" in said
    assert "of 3 jobs" in said
