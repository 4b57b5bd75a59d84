"""Steps for synthetic lesions, and for test sets with implanted lesions or artefacts."""

from __future__ import annotations

import json
from pathlib import Path

from madad.cli.arguments import INTEGER, MANY, Arguments, Commands, command


def declare(commands: Commands) -> None:
    """Declare the steps."""
    banked = command(commands, bank, "options", "out", shard=INTEGER, shards=INTEGER)
    banked.add_argument(
        "--pack", type=Path, nargs="*", default=[], help="training images, if they are not registered to a template"
    )
    command(commands, implant, "options", "pack", "out", "table")
    command(commands, corrupt, "options", "pack", "intensity", "out", "table")
    command(commands, examples, "options", "pack", "out", banks=MANY)


def bank(arguments: Arguments) -> None:
    """Warp one shard of the bank of lesion maps."""
    from madad.data.anomalies.bank import build

    build(arguments.out, arguments.shard, arguments.shards, arguments.options, *arguments.pack)


def implant(arguments: Arguments) -> None:
    """Implant synthetic lesions into the healthy subjects of a pack."""
    from madad.data.anomalies.implanted import implant_pack

    implant_pack(arguments.pack, arguments.out, arguments.table, arguments.options)


def corrupt(arguments: Arguments) -> None:
    """Add artefacts to samples of a test pack."""
    from madad.data.corruptions.corrupted import corrupt_pack

    options = {**arguments.options, "intensity": json.loads(arguments.intensity.read_text())}
    corrupt_pack(arguments.pack, arguments.out, arguments.table, options)


def examples(arguments: Arguments) -> None:
    """Make the examples of synthetic lesions for the report."""
    from madad.data.anomalies.examples import make_examples

    make_examples(arguments.pack, arguments.banks, arguments.out, arguments.options)
