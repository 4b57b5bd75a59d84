"""`python -m madad <verb>`: one verb a stage, introducing the parts to each other.

Every verb imports what it needs when it is called, so that a stage loads no library of another.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence

from madad.cli import data, results, runs, test_sets
from madad.core import logs
from madad.core.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit status; what a user can cause is told without a traceback."""
    parsed = parser().parse_args(arguments)
    with logs.capture(parsed.log):
        try:
            parsed.run(parsed)
        except UserError as error:
            logs.say(f"error: {error}")
            return 1
        except Exception:  # a defect: its traceback belongs into the log as well
            logs.say(traceback.format_exc())
            return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="madad", description="Benchmark unsupervised anomaly detection in brain MRI.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="verb")
    for stage in (data, test_sets, runs, results):
        stage.declare(verbs)
    return top


if __name__ == "__main__":
    sys.exit(main())
