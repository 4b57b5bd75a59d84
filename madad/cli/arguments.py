"""How a verb of the command line is declared: its function, whose first line is the help, and its arguments."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

Arguments = argparse.Namespace
Verbs = argparse._SubParsersAction
INTEGER, MANY = {"type": int}, {"type": Path, "nargs": "+"}


def verb(verbs: Verbs, run: Callable[[Arguments], None], *paths: str, **named: dict) -> argparse.ArgumentParser:
    """Declare the verb that a function carries out; all arguments given here must be told."""
    summary = (run.__doc__ or "").strip()
    parser = verbs.add_parser(run.__name__, help=summary, description=summary)
    parser.set_defaults(run=run)
    parser.add_argument("--log", help="file to which everything said is written as well")
    require(parser, *paths, **named)
    return parser


def require(parser: argparse.ArgumentParser, *paths: str, **named: dict) -> None:
    """Arguments that must be told: paths, `options` as JSON, and others with the details argparse wants."""
    for name in paths:
        parser.add_argument(f"--{name}", type=json.loads if name == "options" else Path, required=True)
    for name, details in named.items():
        parser.add_argument(f"--{name}", required=True, **details)
