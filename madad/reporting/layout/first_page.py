"""What the first page of the report shows inline: the headline table, the main figure, where it all came from."""

from __future__ import annotations

import html
import json
from pathlib import Path

from madad.core.provenance import complete

# The first keys of the effective configuration that a reader looks for.
CONFIGURATION = ("preset", "train_on", "test_on", "modalities", "methods", "seeds")


def write_provenance(provenance: Path, out: Path) -> None:
    """Write `results/provenance.json` as a table with two columns."""
    with complete(out) as partial:
        partial.write_text(_table(json.loads(Path(provenance).read_text())), encoding="utf-8")


def write_drawing(svg: str, out: Path) -> None:
    """Write a drawing as a fragment that fills the page's width.

    Args:
        svg: text of the SVG file.
    """
    svg = svg[svg.index("<svg") :].replace("<svg ", '<svg style="width:100%;height:auto" ', 1)
    with complete(out) as partial:
        partial.write_text(f"<div>{svg}</div>\n", encoding="utf-8")


def _table(known: dict) -> str:
    configuration = known.get("configuration", {})
    rows = {key.replace("_", " "): _text(configuration[key]) for key in CONFIGURATION if key in configuration}
    rows |= {key: _text(value) for key, value in sorted(known.get("environment", {}).items())}
    cell = '<td style="padding:1px 12px 1px 8px;vertical-align:top">'
    lines = [f"<tr>{cell}{html.escape(key)}</td>{cell}{html.escape(value)}</td></tr>" for key, value in rows.items()]
    return '<table style="font-size:0.8em;border-collapse:collapse;width:auto">\n' + "\n".join(lines) + "\n</table>\n"


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | dict) else str(value)
