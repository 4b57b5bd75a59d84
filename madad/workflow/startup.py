"""What happens once, before the first job: the configuration becomes a plan, and the shell of the jobs is prepared."""

from __future__ import annotations

import logging
import shlex

from madad.configuration import disk_forecast, sequences, settings
from madad.configuration.schema import Options
from madad.core.errors import UserError
from madad.workflow.plan import Plan


def plan(raw: Options, folder: str) -> Plan:
    """Return the plan of a configuration as the user gave it.

    Args:
        raw: `config.yaml` with whatever the command line changed.
        folder: of the Snakefile.

    Raises:
        UserError: a folder that cannot be used, or every problem of the configuration in one list.
    """
    if set("{}:") & set(folder):
        raise UserError(f"{folder}: Snakemake and Python fail below a folder with a brace or colon in its name; move it")
    return Plan.of(settings.resolve(raw))


def shell_prefix(folder: str) -> str:
    """Return the commands before every shell command.

    A clone runs without being installed, also with another --directory. Waiting threads must sleep: on cores that are shared
    with another job, threads that wait by spinning made a training step fifteen times slower (8.9 s against 0.6 s).
    matplotlib keeps its list of fonts with the results, so that a run leaves nothing in the user's folders.

    Args:
        folder: of the Snakefile.
    """
    return (
        f"export PYTHONPATH={shlex.quote(folder)}:$PYTHONPATH OMP_WAIT_POLICY=PASSIVE"
        ' MPLCONFIGDIR="${{MPLCONFIGDIR:-$PWD/results/.cache/matplotlib}}"; '
    )


def first_lines(plan: Plan) -> tuple[int, str]:
    """Return what a person should know before the first job, with the level of the log that it belongs to.

    The lines name the cohorts that take part with only some of the run's sequences, and forecast the disk space.
    """
    line, fits = disk_forecast.message(plan.config)
    lines = [*sequences.left_out(plan.config, list(plan.cohorts)), line]
    return (logging.INFO if fits and len(lines) == 1 else logging.WARNING), "\n".join(lines)
