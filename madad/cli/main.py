"""`python -m madad <command>`: one command per stage, which connects the packages that the stage needs.

Every command imports what it needs when it is called, so that a stage loads no library of another stage.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence

from madad.cli import data, exchange, models, predict, results, runs, test_sets
from madad.core import logs
from madad.core.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status; an error that a user can cause is reported without a traceback."""
    parsed = parser().parse_args(arguments)
    with logs.capture(parsed.log):
        try:
            parsed.run(parsed)
        except UserError as error:
            logs.say(f"error: {error}")
            return 1
        except Exception:  # a defect: its traceback belongs in the log as well
            logs.say(traceback.format_exc())
            return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="madad", description="Benchmark unsupervised anomaly detection in brain MRI.")
    commands = top.add_subparsers(dest="command", required=True, metavar="command")
    for stage in (data, test_sets, runs, exchange, models, predict, results):
        stage.declare(commands)
    return top


if __name__ == "__main__":
    sys.exit(main())
