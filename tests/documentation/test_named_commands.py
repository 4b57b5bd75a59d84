"""Every `madad` command that a page shows exists, with the options that it is shown with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.tools.command_page import _subcommands
from madad.cli.main import parser
from tests.documentation.test_pages import pages

BLOCK, INLINE = re.compile(r"^ *```[^\n]*\n(.*?)^ *```", re.M | re.S), re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"^ *!?madad ([a-z][^<\n]*)$", re.M)
# Tells of commands that were there once.
HISTORY = "CHANGELOG.md"


def unknown(command: str) -> list[str]:
    """Return the words of a command line that are no verb or option of madad."""
    words, known, at = command.partition(" #")[0].split(), _subcommands(parser()), None
    while words and known:
        if words[0].rstrip(".,;:") not in known:
            return words[:1]
        at = known[words.pop(0).rstrip(".,;:")]
        known = _subcommands(at)
        if not words:
            return []
    if at is None or at.hands_on:
        return []
    options = [word.partition("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)]
    return [option for option in options if option not in at._option_string_actions]


def commands(text: str) -> list[str]:
    """Return the commands in blocks of code, where each begins a line, and those alone between backticks."""
    code = [*BLOCK.findall(text), *INLINE.findall(BLOCK.sub("", text))]
    return [command for part in code for command in COMMAND.findall(part)]


@pages
def test_named_commands_exist(page: Path) -> None:
    found = {command: unknown(command) for command in commands(page.read_text()) if page.name != HISTORY}
    assert not {command: words for command, words in found.items() if words}


def test_commands_are_seen_in_blocks_and_between_backticks() -> None:
    text = "madad carries `madad init x`\n```\nmadad run -n\n```\n```{code-cell}\n!madad cohort my.yaml\n```\n"
    assert commands(text) == ["run -n", "cohort my.yaml", "init x"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("predict scan.nii.gz --model atlas_z --out maps", []),
        ("predict scan.nii.gz --modle atlas_z", ["--modle"]),
        ("model exprot run", ["exprot"]),
        ("run results/x --cores 2", []),
        ("fly", ["fly"]),
    ],
)
def test_what_does_not_exist_is_found(command: str, words: list[str]) -> None:
    assert unknown(command) == words
