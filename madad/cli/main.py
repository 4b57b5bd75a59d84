"""`python -m madad <command>`: one command per stage, which connects the packages that the stage needs.

Every command imports what it needs when it is called, so that a stage loads no library of another stage.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from madad.cli import data, exchange, models, predict, results, runs, test_sets
from madad.core import logs
from madad.core.errors import UserError, disk_is_full


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status; an error that a user can cause is reported without a traceback."""
    parsed = parser().parse_args(arguments)
    _find_place_for_compiled_code()
    with logs.capture(parsed.log):
        try:
            parsed.run(parsed)
        except UserError as error:
            logs.say(f"error: {error}")
            return 1
        except Exception as error:
            if disk_is_full(error):
                logs.say(
                    f"error: the disk of {os.getcwd()} is full, or its quota is used up; free some space and run again. Finished "
                    "files are complete, and nothing unfinished has the name of a result"
                )
            else:  # a defect: its traceback belongs in the log as well
                logs.say(traceback.format_exc())
            return 1
    return 0


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


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="madad", description="Benchmark unsupervised anomaly detection in brain MRI.")
    commands = top.add_subparsers(dest="command", required=True, metavar="command")
    for stage in (data, test_sets, runs, exchange, models, predict, results):
        stage.declare(commands)
    return top


if __name__ == "__main__":
    sys.exit(main())
