"""References of a text: those of software and statistics from a file, those of methods from their cards."""

from __future__ import annotations

import re
from functools import cache

from madad.configuration import cards
from madad.core.errors import UserError
from madad.reporting.layout.table_writer import HERE

KNOWN = HERE / "templates" / "references.bib"
# What follows the authors of the paper in a card: others, whose form or loss it is, or what theirs is for.
OTHERS = re.compile(r"; | for ")


class Citations:
    """Citations in the order in which a text makes them."""

    def __init__(self) -> None:
        self._entries: dict[str, str] = {}

    def __call__(self, key: str) -> str:
        """Cite an entry of the file.

        Raises:
            KeyError: it has none of this name.
        """
        self._entries[key] = _known()[key]
        return f"[@{key}]"

    def method(self, base: str) -> str:
        """Cite the paper behind a method or component; for maps made elsewhere, which have no paper, return nothing."""
        entry = of_card(base)
        if not entry:
            return "(made outside madad)"
        self._entries[f"method_{base}"] = entry
        return f"[@method_{base}]"

    def as_bibtex(self) -> str:
        """Return all that was cited."""
        return "\n".join(self._entries.values()) + "\n"


@cache
def _known() -> dict[str, str]:
    lines = KNOWN.read_text(encoding="utf-8").splitlines()
    return {line.partition("{")[2].partition(",")[0]: line for line in lines if line.startswith("@")}


def of_card(base: str) -> str:
    """Return the paper of a method as a BibTeX entry; empty where a card has no authors, or there is no card.

    A card without the title of its paper gives an entry without title, which its DOI leads to.
    """
    try:
        card = cards.load(base)
    except UserError:
        return ""
    if not card["authors"]:
        return ""
    fields = {
        "author": " and ".join(OTHERS.split(card["authors"])[0].split(", ")),
        "title": f"{{{card['paper']}}}" if card["paper"] else "",
        "year": card["year"],
        "howpublished": card["venue"],
        "doi": card["doi"],
    }
    told = ", ".join(
        f"{name} = {{{value if name == 'doi' else _escaped(str(value))}}}" for name, value in fields.items() if value
    )
    return f"@misc{{method_{base}, {told}}}"


def _escaped(text: str) -> str:
    return re.sub(r"(?<!\\)([&%$#_])", r"\\\1", text)
