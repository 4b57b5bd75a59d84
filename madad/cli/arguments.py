"""How a command of the command line is declared: its function, the first line of which is the help, and its arguments."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import FunctionType

Arguments = argparse.Namespace
Commands = argparse._SubParsersAction
INTEGER, MANY = {"type": int}, {"type": Path, "nargs": "+"}


def command(commands: Commands, run: FunctionType, *paths: str, **named: dict) -> argparse.ArgumentParser:
    """Declare the command that a function carries out.

    Args:
        commands: of the whole program.
        run: function of the parsed arguments; the command has its name, with hyphens, and its docstring is the help.
        paths: required paths, and `options` as JSON.
        named: other required arguments, with the keywords of `add_argument`.

    Returns:
        The parser of the command, for optional arguments.
    """
    summary = (run.__doc__ or "").strip()
    parser = commands.add_parser(run.__name__.replace("_", "-"), help=summary, description=summary)
    parser.set_defaults(run=run)
    parser.add_argument("--log", help="file that receives all messages as well")
    for name in paths:
        parser.add_argument(f"--{name}", type=json.loads if name == "options" else Path, required=True)
    for name, details in named.items():
        parser.add_argument(f"--{name}", required=True, **details)
    return parser
