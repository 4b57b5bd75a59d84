"""The pages that the build of the site writes: every key of the configuration and every command with every argument."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from docs.tools import command_page, configuration_page
from madad.cli.arguments import STAGE
from madad.cli.main import parser


def test_every_key_of_the_schema_has_a_row_with_its_meaning() -> None:
    text = "\n".join(configuration_page.pages().values())
    rows = [line for line in text.splitlines() if line.startswith("| `") or line.startswith("| [")]
    known = configuration_page.keys()
    assert len(known) > 100
    assert not [key for key in known if not any(f"`{key}`" in row or f"[{key}]" in row for row in rows)]
    assert all(row.rstrip(" |").rpartition("| ")[2].strip() for row in rows)


def test_ranges_defaults_and_choices_are_told() -> None:
    cohorts = configuration_page.pages()["cohorts.md"]
    assert "| `cohorts.*.split.train` | number ≥ 0, ≤ 1 | `0.7` |" in cohorts
    assert "`template`, `bet`, `hd-bet`" in cohorts


def commands(command: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield every command for people with its full name."""
    for word, below in command_page._subcommands(command).items():
        if word != STAGE:
            yield f"{name} {word}", below
            yield from commands(below, f"{name} {word}")


@pytest.mark.parametrize(("name", "command"), commands(parser(), "madad"))
def test_a_command_is_told_with_its_arguments(name: str, command: argparse.ArgumentParser) -> None:
    told = command_page.page().split(f"# {name}\n")[1].split("\n#")[0]
    for action in command._actions:
        if command_page._shown(action):
            assert all(f"`{option}" in told for option in action.option_strings)
            assert " ".join((action.help or "").split())[:30].split("%")[0].replace("<", "&lt;") in told.replace("\\", "")


def test_docstrings_become_lists_of_arguments() -> None:
    docstrings = pytest.importorskip("docs.tools.docstrings", reason="needs the extra docs", exc_type=ImportError)
    text = docstrings.markdown("Add.\n\nArgs:\n    first: a number,\n        which may be long.\n\nReturns:\n    The sum.\n")
    assert "- `first`: a number,\n  which may be long." in text and "**Returns**\n\nThe sum." in text
