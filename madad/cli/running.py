"""Commands that call Snakemake: run the workflow, and write its report."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from madad.cli.arguments import Arguments, Commands, handing_on
from madad.core.errors import UserError
from madad.core.logs import QUIET_JOBS

DRY = ("-n", "--dry-run", "--dryrun")
# Without any of these Snakemake would ask how many cores it may use.
CORES = ("-c", "--cores", "-j", "--jobs", "-e", "--executor", "--profile", "--workflow-profile")
SNAKEFILE = ("-s", "--snakefile")
CONFIG_FILES = ("--configfile", "--configfiles")
# With any of these the user decides what is printed.
PRINTED = ("-q", "--quiet", "--verbose", "-p", "--printshellcmds")
LOGGER = ("--logger",)
# Not every job in several lines, of which a study has thousands.
QUIET = ("--quiet", "rules", "host", "reason")
# Where Snakemake finds the handler that prints the progress of a run (`madad.workflow.progress`).
PLUGINS = Path(__file__).parents[1] / "workflow" / "plugins"
HANDED_ON = "ARGUMENTS are Snakemake's: --cores 8, --configfile my.yaml, --config preset=smoke, -n to see what would run, …"


def declare(commands: Commands) -> None:
    """Declare `madad run` and `madad report`."""
    handing_on(commands, run, "madad run [ARGUMENTS ...]", HANDED_ON)
    about_file = "FILE is report.html, or report.zip for large reports. "
    handing_on(commands, report, "madad report [FILE] [ARGUMENTS ...]", about_file + HANDED_ON)


def run(arguments: Arguments) -> int:
    """Run the workflow in this folder; -n shows the jobs, and the disk space that they will take."""
    from madad.cli import job_table

    command = snakemake(arguments.rest)
    if _has(arguments.rest, (*PRINTED, *LOGGER)):
        return subprocess.run(command, env=surroundings(), check=False).returncode
    if not _has(arguments.rest, DRY):
        return _with_progress(command)
    # the Snakefile reads the variable, see `madad.workflow.startup`
    told = {**surroundings(), "MADAD_FORECAST": "1"}
    done = subprocess.run(command, env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(job_table.shortened(done.stdout) if done.returncode == 0 else done.stdout)
    return done.returncode


def _with_progress(command: Sequence[str]) -> int:
    """Run Snakemake with one line of progress for all jobs; what each of them says is in its log."""
    own = surroundings()
    path = os.pathsep.join([str(PLUGINS), *([own["PYTHONPATH"]] if own.get("PYTHONPATH") else [])])
    told = {**own, "PYTHONPATH": path, QUIET_JOBS: "1"}
    return subprocess.run([*command, "--logger", "madad"], env=told, check=False).returncode


def report(arguments: Arguments) -> int:
    """Write Snakemake's report of the results in this folder, with the same arguments as the run that made them."""
    from madad.core.workflow_files import FOLDER

    rest = list(arguments.rest)
    file = rest.pop(0) if rest and not rest[0].startswith("-") else "report.html"
    style = ["--report-stylesheet", str(FOLDER / "report" / "style.css")]
    return subprocess.run(snakemake(["--report", file, *style, *rest]), env=surroundings(), check=False).returncode


def snakemake(rest: Sequence[str]) -> list[str]:
    """Return the command that calls Snakemake with the workflow of this madad, on all cores unless the user says otherwise.

    Raises:
        UserError: a configuration file does not exist.
    """
    from madad.core.workflow_files import FOLDER

    _check_config_files(rest)
    own = [] if _has(rest, PRINTED) else [*QUIET]
    own += [] if _has(rest, CORES) else ["--cores", "all"]
    own += [] if _has(rest, SNAKEFILE) else ["--snakefile", str(FOLDER / "Snakefile")]
    return [sys.executable, "-m", "snakemake", *own, *rest]


def _check_config_files(rest: Sequence[str]) -> None:
    """Refuse what Snakemake would take for configuration files, every word up to the next option, where it is no file."""
    reading = False
    for word in rest:
        option, _, value = word.partition("=")
        if word.startswith("-"):
            reading, word = option in CONFIG_FILES, value
        if reading and word and not Path(word).is_file():
            raise UserError(
                f"--configfile: there is no file {word}; correct the path. Every word after --configfile is taken for one: what "
                "is to be made stands before it, as in `madad run results/… --configfile my.yaml`"
            )


def surroundings() -> dict[str, str]:
    """Return the environment in which the jobs find this Python by its name."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def _has(rest: Sequence[str], options: Sequence[str]) -> bool:
    """Return whether one of the options is given, also as `--option=value` and with a value or others behind its letter."""
    letters = tuple(option[1] for option in options if len(option) == 2)
    long = [word.partition("=")[0] for word in rest]
    return any(word in options for word in long) or any(word[:1] == "-" and word[1:2] in letters and letters for word in rest)
