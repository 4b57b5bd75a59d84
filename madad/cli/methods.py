"""Commands for methods: list them, and begin one of your own."""

from __future__ import annotations

from pathlib import Path

from madad.cli.arguments import Arguments, Commands, Parser, verb


def declare(commands: Commands) -> None:
    """Declare `madad methods` and `madad methods new`."""
    actions = verb(commands, methods).add_subparsers(metavar="action", parser_class=Parser)
    begun = verb(actions, new)
    begun.add_argument("name", metavar="NAME", help="of the method: lower-case letters, digits and _")
    begun.add_argument("--folder", type=Path, default=Path("my_methods"), help="where its two files go (my_methods)")


def methods(arguments: Arguments) -> None:
    """List the methods with the labels that their training uses."""
    from madad.configuration import cards

    for name in cards.names():
        card = cards.load(name)
        print(f"{name:<20} {card['track']:<12} {card['title']}")


def new(arguments: Arguments) -> None:
    """Write the card and the code of a small method that passes the conformance tests, to be changed into your own."""
    from madad.configuration import method_scaffold

    for path in method_scaffold.write(arguments.folder, arguments.name):
        print(path)
    print(
        f"In your configuration: method_folders: [{arguments.folder}], methods: [intensity, {arguments.name}]. "
        "docs/how-to/add_a_method.md explains both files."
    )
