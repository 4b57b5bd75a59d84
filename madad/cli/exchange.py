"""Commands for other frameworks: hand out a test set, and take their maps."""

from __future__ import annotations

from pathlib import Path

from madad.cli.arguments import INTEGER, MANY, Arguments, Commands, command
from madad.cli.runs import identity
from madad.core.io.manifest import SPLITS


def declare(commands: Commands) -> None:
    """Declare the commands of this stage."""
    run = {"cohort": {}, "modality": {}, "method": {}, "seed": INTEGER}
    command(commands, record_elsewhere, "options", "folder", **run)
    mapping = command(commands, map_elsewhere, "options", "out", testset={}, packs=MANY, **run)
    mapping.add_argument("--tables", type=Path, nargs="*", default=[], help="images of the cohort, for maps in native space")
    mapping.add_argument("--gpus", type=int, default=0, help="number of GPUs")
    exporting = command(commands, export_testset, "out", modality={"help": "sequence, such as FLAIR"})
    exporting.add_argument("testset", help="its name in the configuration, such as mine or mine-implanted")
    exporting.add_argument("--splits", nargs="+", choices=SPLITS, default=["validation", "test"], help="parts to export")
    exporting.add_argument("--results", type=Path, default=Path("results"), help="folder of the run that made the test set")


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


def export_testset(arguments: Arguments) -> None:
    """Write images and brain masks of a test set for another framework, and no truth."""
    from madad.data.exchange.testset_export import export_testset as export

    packs = [arguments.results / "packs" / arguments.testset / arguments.modality / f"{split}.h5" for split in arguments.splits]
    export(packs, arguments.out)
