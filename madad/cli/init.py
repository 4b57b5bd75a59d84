"""The command that begins a configuration from a folder of images."""

from __future__ import annotations

from pathlib import Path

from madad.cli.arguments import Arguments, Commands, verb


def declare(commands: Commands) -> None:
    """Declare `madad init`."""
    parser = verb(commands, init)
    parser.add_argument(
        "root", metavar="DATA_ROOT", type=Path, help="a BIDS data set, or one of those that `madad cohorts` lists"
    )
    parser.add_argument("--name", help="of the cohort; that of the folder by default")
    parser.add_argument("--kind", help="of the cohort, see `madad cohorts`; found by the names of the files by default")
    parser.add_argument("--out", type=Path, default=Path("my.yaml"), help="configuration to write (my.yaml)")
    parser.add_argument("--force", action="store_true", help="replace a file that exists")


def init(arguments: Arguments) -> None:
    """Look at a folder of images, and write a configuration that says in comments what was found and what to decide."""
    from madad.data.cohorts.finding import first_look

    look = first_look.at(arguments.root, arguments.name, arguments.kind)
    first_look.write(look, arguments.out, arguments.force)
    print("\n".join(look.lines))
    print(f"{arguments.out}: read it, then `madad cohort {arguments.out}` and `madad run -n --configfile {arguments.out}`")
