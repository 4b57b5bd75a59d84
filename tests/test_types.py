"""Budget of the lines that the type checker skips, each with its reason."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_IGNORES = 15
IGNORE = re.compile(r"#\s*(?:ty|type):\s*ignore")
WITH_REASON = re.compile(r"# ty: ignore\[[a-z-]+\]  # \S+ \S+")


def ignores() -> list[str]:
    """Return every line of the package with a comment that silences a type checker, after its file and number."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line}"
        for path in sorted((ROOT / "madad").rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if IGNORE.search(line)
    ]


def test_few_lines_are_not_checked() -> None:
    assert len(ignores()) <= MOST_IGNORES, "\n".join(ignores())


def test_every_ignored_line_names_its_rule_and_reason() -> None:
    assert [line for line in ignores() if not WITH_REASON.search(line)] == []
