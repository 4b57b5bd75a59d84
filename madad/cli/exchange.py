"""The command that hands out a test set to people with another framework."""

from __future__ import annotations

from pathlib import Path

from madad.cli.arguments import Arguments, Commands, verb

SPLITS = ("train", "validation", "test")


def declare(commands: Commands) -> None:
    """Declare `madad export-testset`."""
    parser = verb(commands, export_testset)
    parser.add_argument("testset", help="its name in the configuration, such as mine or mine-implanted")
    parser.add_argument("--modality", required=True, help="sequence, such as FLAIR")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=["validation", "test"], help="parts to export")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the run that made the test set")


def export_testset(arguments: Arguments) -> None:
    """Write images and brain masks of a test set for another framework, and no truth."""
    from madad.data.exchange.testset_export import export_testset as export

    packs = [arguments.results / "packs" / arguments.testset / arguments.modality / f"{split}.h5" for split in arguments.splits]
    export(packs, arguments.out)
