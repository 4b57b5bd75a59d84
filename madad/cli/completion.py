"""The command that makes a shell complete the commands and options of madad."""

from __future__ import annotations

from madad.cli.arguments import Arguments, Commands, verb

SHELLS = ("bash", "zsh", "tcsh")


def declare(commands: Commands) -> None:
    """Declare `madad completion`."""
    verb(commands, completion).add_argument("shell", choices=SHELLS, help='in ~/.bashrc: eval "$(madad completion bash)"')


def completion(arguments: Arguments) -> None:
    """Print a script by which a shell completes the commands, options and files of madad."""
    import shtab

    print(shtab.complete(arguments.program, arguments.shell))
