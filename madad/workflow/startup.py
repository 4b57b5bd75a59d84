"""What happens once, before the first job: the configuration becomes a plan, and the shell of the jobs is prepared."""

from __future__ import annotations

import logging
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from madad.configuration import disk_forecast, experiments, initial_weights, sequences, settings
from madad.configuration.schema import Options, merge
from madad.core import job_client, logs, yaml_text
from madad.core.errors import UserError
from madad.core.workflow_files import FOLDER
from madad.data.cohorts.finding import understanding
from madad.workflow import divisions
from madad.workflow.plan import Plan

# Variables that name folders in which libraries keep files for the next process, and the names of our folders.
CACHES = {"MPLCONFIGDIR": "matplotlib", "NUMBA_CACHE_DIR": "numba"}
# Variables by which Snakemake tells libraries the threads of a job.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "GOTO_NUM_THREADS")
# The words that begin every shell command. The path is in a variable: a command that named the clone would be another one in the
# next clone, and run again; a prefix for all commands, or PYTHONPATH itself, would reach the rules of a Snakefile that uses this
# workflow as a module.
PROGRAM = 'env PYTHONPATH="$MADAD_PATH" python -m madad stage'
# What `madad run -n` sets, so that a dry run also prints what a run says before its first job.
FORECAST = "MADAD_FORECAST"
# Rules by which one cohort is read: another one that cannot be read does not stop them.
READING = {"all", "download", "cohort"}


def plan(raw: Options, folder: str, module: bool = False, results: str = "results") -> Plan:
    """Return the plan of a configuration as the user gave it.

    Args:
        raw: `config.yaml` with whatever the command line changed.
        folder: of the Snakefile.
        module: whether another Snakefile uses the workflow as a module and hands over the configuration; Snakemake then leaves
            `config.yaml` out, whose values still stand under what is handed over.
        results: path of the results; a module may have a prefix.

    Raises:
        UserError: a folder that cannot be used, every problem of the configuration in one list, or a partial report of nothing.
    """
    if set("{}:") & set(folder):
        raise UserError(f"{folder}: Snakemake and Python fail below a folder with a brace or colon in its name; move it")
    if module:
        if not Path(folder).samefile(FOLDER):
            raise UserError(f"{folder}: Python has loaded the madad of {FOLDER} already; one workflow can use one copy of madad")
        raw = merge(yaml_text.load(Path(folder, "config.yaml").read_text()), raw)
    root = str(results).removesuffix("results")
    asked = settings.resolve(raw)
    config = divisions.adopt(asked, raw, root)
    planned = Plan.of(config, root, tuple(divisions.kept(asked, config)))
    if config["partial"] and not planned.all_evaluations:
        raise UserError(
            "partial: none of these methods has finished on any test set, so there is nothing to report; run without "
            "partial=true, or name the methods, cohorts and seeds of the run whose results these are"
        )
    return planned


def set_environment(folder: str) -> None:
    """Set the variables that the jobs of this process inherit; every process of Snakemake reads the Snakefile, and so calls this.

    A clone runs without being installed, also with another --directory and as a module. Waiting threads must sleep: on cores
    that are shared with another job, threads that wait by spinning made a training step fifteen times slower (8.9 s against
    0.6 s). matplotlib keeps its list of fonts, and numba its compiled code, with the results, so that a run leaves nothing in
    the user's folders, and works where neither the code nor the home can be written to.

    Args:
        folder: of the Snakefile.
    """
    before = os.environ.get("PYTHONPATH")
    os.environ["MADAD_PATH"] = os.pathsep.join([folder, *([before] if before else [])])
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for variable, name in CACHES.items():
        os.environ.setdefault(variable, os.path.abspath(f"results/.cache/{name}"))


def share_start_up() -> None:
    """Start the process that light jobs of this run are forked from (`madad.cli.job_server`); it ends with this process.

    Jobs on another machine, in a container or with another interpreter do not find it, and start by themselves. So do all of
    them where the system is not Linux, or `MADAD_JOB_SERVER` is set already, to nothing for example.
    """
    if job_client.VARIABLE in os.environ or not job_client.is_possible():
        return
    place = f"madad-{secrets.token_hex(16)}:{secrets.token_hex(16)}"
    end, _ = os.pipe()  # nobody else has the other side, which closes when this process ends
    command = [sys.executable, "-m", "madad.cli.job_server", str(end)]
    # jobs of one thread
    surroundings = {**os.environ, "PYTHONPATH": os.environ["MADAD_PATH"], job_client.VARIABLE: place}
    surroundings |= dict.fromkeys(THREADS, "1")
    subprocess.Popen(command, env=surroundings, pass_fds=[end], stdin=subprocess.DEVNULL)
    os.close(end)
    os.environ[job_client.VARIABLE] = place


def dated(workflow: Any, files: list[str]) -> list[str]:
    """Return files from outside as inputs of a run that looks at times alone (`--rerun-triggers mtime`).

    In any other run parameters follow what the files hold, and as inputs their times would count as well.

    Args:
        workflow: Snakemake's; its settings are complete when inputs are asked for, not yet when a Snakefile is read.
        files: that changed last.
    """
    complete = workflow.dag_settings is not None
    return files if complete and "PARAMS" not in {trigger.name for trigger in workflow.rerun_triggers} else []


def understood(plan: Plan) -> understanding.Understood:
    """Return what is understood of the cohorts by the names of their files alone, which takes a second for ten thousand."""
    return understanding.understand(plan.config, "names")


def cohort_lines(found: understanding.Understood) -> str:
    """Return what is understood of the cohorts, in lines."""
    return "\n".join(understanding.lines(found))


def check_groups(plan: Plan, found: understanding.Understood, jobs: Sequence[Any]) -> None:
    """Stop a run before its first job if it needs subjects of known group where there are none.

    Args:
        plan: of the run.
        found: from `understood`.
        jobs: Snakemake's jobs that are going to run; a module may have put something in front of the names of their rules.

    Raises:
        UserError: a cohort cannot be read, or too little is known about its subjects.
    """
    learning = [job for job in _of("train", jobs) if understanding.learns(plan.entries[job.wildcards.method]["base"])]
    healthy = {job.wildcards.cohort for job in [*learning, *_of("implant", jobs)]}
    anybody = {settings.cohort_of(job.wildcards.testset) for job in _of("infer", jobs)}
    if any(job.rule.name not in READING for job in jobs):
        understanding.check(found, understanding.Needs(healthy, anybody))


def tell_forecast(plan: Plan) -> None:
    """Say in the dry run of `madad run -n` what Snakemake shows at the start of a real run alone."""
    if os.environ.pop(FORECAST, ""):
        logs.say(first_lines(plan)[1])


def _of(rule: str, jobs: Sequence[Any]) -> list[Any]:
    return [job for job in jobs if job.rule.name.endswith(rule)]


def first_lines(plan: Plan) -> tuple[int, str]:
    """Return what a person should know before the first job, with the level of the log that it belongs to.

    The lines name the cohorts that take part with only some of the run's sequences, numbers of shards that do not apply, and
    trainings for which no bundled weights fit, and forecast the disk space.
    """
    line, fits = disk_forecast.message(plan.config)
    scratch = initial_weights.unmet(plan.config, plan.entries, plan.trainings)
    left_out = [*sequences.left_out(plan.config, list(plan.cohorts)), *experiments.left_out(plan.config)]
    lines = [*left_out, *plan.notes, *scratch, line]
    return (logging.INFO if fits and len(lines) == 1 else logging.WARNING), "\n".join(lines)
