"""What the metrics and protocols of the report are: the sentences of docs/reference/evaluation.md, to be read inside the page."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from madad.evaluation.results.metric_table import METRICS
from madad.evaluation.results.protocol_table import PROTOCOLS

MOST = 8  # definitions that one figure links to


@dataclass(frozen=True)
class Entry:
    """One definition.

    Attributes:
        anchor: its place in the page.
        title: as in tables and figures.
        name: in the long table.
        words: what exactly it is.
    """

    anchor: str
    title: str
    name: str
    words: str


def metrics() -> list[Entry]:
    """Return the definitions of all metrics."""
    units = {metric.name: f" ({metric.unit})" if metric.unit else "" for metric in METRICS}
    return [Entry(f"metric-{one.name}", one.title, one.name, one.note + units[one.name]) for one in METRICS if one.title]


def protocols() -> list[Entry]:
    """Return the definitions of all protocols, by which a map becomes a number."""
    seen = "; it has seen the labels of the test set: a ceiling, not a result"
    return [
        Entry(f"protocol-{one.name}", one.title or one.name, one.name, (one.note or one.title) + (seen if one.oracle else ""))
        for one in PROTOCOLS
    ]


def mentioned(text: str) -> Iterator[tuple[str, str]]:
    """Yield title and place of the metrics that a text names, in their order in the text, each once.

    Args:
        text: HTML.
    """
    words = html.unescape(re.sub(r"<[^>]*>", " ", text))
    anchors: dict[str, str] = {}
    for one in metrics():
        anchors.setdefault(one.title, one.anchor)
    # longer titles first: "Lesion precision" is not "Precision"
    titles = "|".join(re.escape(title) for title in sorted(anchors, key=len, reverse=True))
    found = dict.fromkeys(match.group() for match in re.finditer(rf"(?<!\w)(?:{titles})(?!\w)", words))
    yield from ((title, f"#{anchors[title]}") for title in list(found)[:MOST])
