"""Google-style docstrings as Markdown, for the pages of the API."""

from __future__ import annotations

import re
from textwrap import dedent

from docutils import nodes
from myst_parser.parsers.sphinx_ import MystParser

SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises")
ENTRY = re.compile(r"^([*\w][\w*, .]*): +(.*)$")


class Parser(MystParser):
    """A parser for docutils that reads a docstring of this project."""

    def parse(self, inputstring: str, document: nodes.document) -> None:
        """Parse a docstring into a document."""
        super().parse(markdown(inputstring), document)


def markdown(docstring: str) -> str:
    """Return a docstring as Markdown: every section below its name, its arguments as a list."""
    lines: list[str] = []
    pending = docstring.strip().splitlines()
    while pending:
        line = pending.pop(0)
        name = line.rstrip(":")
        if name not in SECTIONS or not line.endswith(":"):
            lines.append(line)
            continue
        block = []
        while pending and (not pending[0].strip() or pending[0].startswith(" ")):
            block.append(pending.pop(0))
        lines += ["", f"**{name}**", "", *_entries(dedent("\n".join(block))), ""]
    return "\n".join(lines)


def _entries(block: str) -> list[str]:
    """Return the entries of a section as a list; lines further in continue the one before, and a text without names stays one."""
    made: list[str] = []
    for line in block.splitlines():
        found = ENTRY.match(line)
        if found:
            made.append(f"- `{found[1]}`: {found[2]}")
        elif line.strip():
            made.append(f"  {line.strip()}" if made and made[0].startswith("- ") else line.strip())
    return made
