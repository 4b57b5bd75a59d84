"""How the commands of the command line are declared: a parser that knows what was meant, and the words for common options."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from types import FunctionType
from typing import Any, NoReturn

from madad.core.errors import did_you_mean

Arguments = argparse.Namespace
Commands = argparse._SubParsersAction
INTEGER: dict[str, Any] = {"type": int}
MANY: dict[str, Any] = {"type": Path, "nargs": "+"}
STAGE = "stage"
LOG = "file that receives all messages as well"
# What the required options of the steps of the workflow mean.
MEANINGS = {
    "checkpoints": "folder of the checkpoints, from which an interrupted training resumes",
    "cohort": "name of the cohort, in a run that of the cohort trained on",
    "folder": "folder for the results",
    "intensity": "intensity normalisation, JSON",
    "manifest": "list of the images of the cohort, TSV",
    "maps": "anomaly maps, HDF5",
    "method": "name of the method",
    "modalities": "sequences, as a JSON list",
    "modality": "sequence, such as FLAIR",
    "model": "weights of the method, safetensors",
    "name": "name of the cohort",
    "options": "the step's part of the configuration, JSON",
    "out": "file or folder to write",
    "pack": "images of one split, HDF5",
    "packs": "images of each split, HDF5",
    "banks": "banks of synthetic lesions, HDF5",
    "protocol": "protocol whose threshold is applied",
    "record": "numbers of images by verdict, JSON",
    "seed": "seed of the run",
    "shard": "number of this shard, from 0",
    "shards": "number of shards",
    "source": "folder of the run whose weights are reused",
    "split": "train, validation or test",
    "table": "table to write or to take thresholds from, TSV",
    "tables": "tables of preprocessed images, TSV",
    "testset": "name of the test set",
    "train": "training images, HDF5",
    "validation": "validation images, HDF5",
    "workers": "number of processes",
}


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations, and says of an unknown word which one may have been meant.

    Attributes:
        hands_on: whether all arguments but `--help` become `rest`, as they are, for a command that calls another program.
    """

    hands_on = False

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **{"allow_abbrev": False, **keywords})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as any parser, but name a misspelt option before anything that seems to be missing because of it."""
        given = list(args or [])
        if self.hands_on and given[:1] not in (["-h"], ["--help"]):
            known: Any = super().parse_known_args([], namespace)[0]
            known.rest = given
            return known, []
        for word in given[: given.index("--")] if "--" in given else given:
            if self._subparsers and not word.startswith("-"):
                break
            name = word.partition("=")[0]
            if name.startswith("--") and name not in self._option_string_actions:
                known = [option for option in self._option_string_actions if option.startswith("--")]
                self.error(f"there is no option {name}{did_you_mean(name, known)}")
        return super().parse_known_args(given, namespace)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, self._unknown(action, value))

    def _unknown(self, action: argparse.Action, value: object) -> str:
        known = list(action.choices or ())
        if isinstance(action, Commands) and STAGE in known and value in action.choices[STAGE].steps:
            return f"{value!r} is a step of the workflow: madad {STAGE} {value}"
        return f"there is no {value!r}{did_you_mean(value, known) or '; choose from ' + ', '.join(map(str, known))}"

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and leave with status 2."""
        self.exit(2, f"error: {message}\n`{self.prog} --help` lists what there is.\n")


def verb(commands: Commands, run: FunctionType, name: str = "") -> Parser:
    """Declare a command for people: its name is that of its function, and the function's docstring the help.

    Args:
        commands: of the whole program.
        run: function of the parsed arguments.
        name: another name.
    """
    parser = _named(commands, run, name)
    parser.set_defaults(run=run)
    parser.add_argument("--log", help=LOG)
    return parser


def handing_on(commands: Commands, run: FunctionType, usage: str, epilog: str) -> None:
    """Declare a command that hands on its arguments, which are in `arguments.rest`, to another program.

    Args:
        commands: of the whole program.
        run: function of the parsed arguments.
        usage: what its help shows as the way to call it.
        epilog: last words of its help.
    """
    parser = _named(commands, run)
    parser.hands_on, parser.usage, parser.epilog = True, usage, epilog
    parser.set_defaults(run=run, log=None)


def _named(commands: Commands, run: FunctionType, name: str = "") -> Parser:
    summary = (run.__doc__ or "").strip()
    return commands.add_parser(name or run.__name__.replace("_", "-"), help=summary, description=summary)


def command(commands: Commands, run: FunctionType, *paths: str, **named: dict) -> Parser:
    """Declare a step of the workflow.

    Args:
        commands: of `madad stage`.
        run: function of the parsed arguments; the command has its name, with hyphens, and its docstring is the help.
        paths: required paths, and `options` as JSON.
        named: other required arguments, with the keywords of `add_argument`.

    Returns:
        The parser of the command, for optional arguments.
    """
    parser = verb(commands, run)
    for name in paths:
        parser.add_argument(f"--{name}", type=json.loads if name == "options" else Path, required=True, help=MEANINGS[name])
    for name, details in named.items():
        parser.add_argument(f"--{name}", required=True, **{"help": MEANINGS[name], **details})
    return parser


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the device to compute on."""
    parser.add_argument("--device", default=os.environ.get("MADAD_DEVICE", "auto"), help="auto, cpu, cuda or cuda:N")
