"""The command that scores maps against references, without a run."""

from __future__ import annotations

from pathlib import Path

from madad.cli.arguments import MANY, Arguments, Commands, verb


def declare(commands: Commands) -> None:
    """Declare `madad score`."""
    parser = verb(commands, score)
    parser.add_argument("maps", metavar="MAP", help="anomaly maps, NIfTI files or folders of them", **MANY)
    parser.add_argument(
        "--references", required=True, help="lesion masks, files or folders, found by subject and session", **MANY
    )
    parser.add_argument("--brains", required=True, help="brain masks, files or folders; nothing outside them is scored", **MANY)
    parser.add_argument("--threshold", type=float, help="what lies above is predicted; adds Dice, surfaces and lesions")
    parser.add_argument("--out", type=Path, help="table to write, TSV; it is printed in any case")


def score(arguments: Arguments) -> None:
    """Score anomaly maps against reference masks: AUPRC, AUROC and best Dice of each, and their means."""
    from madad.detection import map_files

    rows = map_files.score(arguments.maps, arguments.references, arguments.brains, arguments.threshold)
    print(map_files.as_text(rows))
    if arguments.out:
        map_files.write(rows, arguments.out)
