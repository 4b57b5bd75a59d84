"""Steps that take the maps of other frameworks."""

from __future__ import annotations

from pathlib import Path

from madad.cli.arguments import INTEGER, MANY, Arguments, Commands, command
from madad.cli.stages.runs import identity


def declare(commands: Commands) -> None:
    """Declare the steps."""
    run = {"cohort": {}, "modality": {}, "method": {}, "seed": INTEGER}
    command(commands, record_elsewhere, "options", "folder", **run)
    mapping = command(commands, map_elsewhere, "options", "out", testset={}, packs=MANY, **run)
    mapping.add_argument("--tables", type=Path, nargs="*", default=[], help="images of the cohort, for maps in native space")
    mapping.add_argument("--gpus", type=int, default=0, help="number of GPUs")


def record_elsewhere(arguments: Arguments) -> None:
    """Record a method whose maps are made outside madad."""
    from madad.data.exchange import importing

    importing.record(arguments.folder, identity(arguments), arguments.options)


def map_elsewhere(arguments: Arguments) -> None:
    """Collect the maps of a method that are made outside madad."""
    from madad.data.exchange import importing

    importing.write(
        arguments.packs,
        arguments.options,
        identity(arguments),
        arguments.out,
        tables=arguments.tables,
        gpus=arguments.gpus,
    )
