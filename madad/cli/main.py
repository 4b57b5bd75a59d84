"""`madad <command>`: commands for people, and behind `madad stage` the steps that the rules of the workflow call.

Every command imports what it needs when it is called, so that none loads a library of another.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from madad.cli import bids_app, cohorts, completion, doctor, exchange, init, methods, models, predict, running, scores
from madad.cli.arguments import STAGE, Arguments, Commands, Parser
from madad.cli.stages import data, maps_elsewhere, results, runs, test_sets
from madad.core import logs
from madad.core.errors import UserError, disk_is_full

PEOPLE = (init, running, cohorts, methods, predict, scores, exchange, models, doctor, completion)
STAGES = (data, test_sets, runs, maps_elsewhere, results)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status; an error that a user can cause is reported without a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    top = parser()
    if not given:
        top.print_help()
        return 0
    parsed = top.parse_args(bids_app.as_predict(given))
    _find_place_for_compiled_code()
    with logs.capture(parsed.log):
        return _status(parsed)


def _status(parsed: Arguments) -> int:
    try:
        return parsed.run(parsed) or 0
    except UserError as error:
        logs.say(f"error: {error}")
    except BrokenPipeError:  # the reader, such as `head`, has seen enough; Python would complain when it leaves
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if disk_is_full(error):
            logs.say(
                f"error: the disk of {os.getcwd()} is full, or its quota is used up; free some space and run again. Finished "
                "files are complete, and nothing unfinished has the name of a result"
            )
        else:  # a defect: its traceback belongs in the log as well
            logs.say(traceback.format_exc())
    return 1


def _find_place_for_compiled_code() -> None:
    """Let numba keep compiled code in the temporary folder if there is no home: without any place it refuses to work.

    Snakemake's jobs have a place below the results.
    """
    try:
        at_home = os.access(Path.home(), os.W_OK)
    except RuntimeError:  # no home at all
        at_home = False
    if not at_home:
        os.environ.setdefault("NUMBA_CACHE_DIR", os.path.join(tempfile.gettempdir(), f"madad-numba-{os.getuid()}"))


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: str | None = None) -> None:
        from madad.core.provenance import version

        print(f"madad {version()}")
        parser.exit()


def parser() -> Parser:
    """Return the parser of the command line."""
    about = "Benchmark unsupervised anomaly detection in brain MRI. `madad COMMAND --help` explains a command."
    top = Parser(prog="madad", description=about, epilog=bids_app.USAGE)
    top.set_defaults(program=top)
    top.add_argument("--version", action=_Version, nargs=0, help="print the version and stop")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for group in PEOPLE:
        group.declare(commands)
    _declare_stages(commands)
    return top


def _declare_stages(commands: Commands) -> None:
    summary = "Carry out one step of the workflow, or write a page of the documentation; the rules call it."
    stage = commands.add_parser(STAGE, help=summary, description=summary)
    steps = stage.add_subparsers(dest="step", required=True, metavar="STEP", parser_class=Parser)
    for group in STAGES:
        group.declare(steps)
    stage.steps = steps.choices


if __name__ == "__main__":
    sys.exit(main())
