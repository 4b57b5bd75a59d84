"""The report as one page that opens offline: the story, the table and figure that carry it, the viewer, and everything else.

Snakemake's report lists files; this page answers questions, shows captions beside figures, and looks into volumes. Browsers do
not open pages of more than 2 MB inside Snakemake's single file, so that the page lies beside it, in `results/report`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

import matplotlib
import numpy as np

from madad.core.logs import warn
from madad.core.provenance import complete
from madad.evaluation.results.collected import block_title
from madad.reporting.layout import table_writer
from madad.reporting.layout.image_grid import MAP_COLOURS
from madad.reporting.page import glossary
from madad.reporting.page.items import Item, items
from madad.reporting.story.story import as_html
from madad.reporting.viewer.volumes import LEVELS

LARGEST = 24_000_000  # bytes of the page, so that it can be mailed
# What follows the story at once, in this order; of the pictures of cases that of the test set that the story begins with.
FIRST = ("headline", "comparison", "side_by_side_")
STYLES = ("table.css", "story.css", "page.css", "viewer.css")
SCRIPTS = ("sort.js", "volumes.js", "viewer.js", "page.js")


def write_index(story: Path, methods_text: Path, shown: Sequence[Path], volumes: Sequence[Path], out: Path) -> None:
    """Write the page.

    Args:
        story: of `madad.reporting.story.story`.
        methods_text: of `madad.reporting.methods_text.text`.
        shown: every figure and table of the report but the galleries of single methods, whose place the viewer takes.
        volumes: of `madad.reporting.viewer.volumes`, one file per test set.
    """
    found = items(shown, Path(out).parent)
    known = json.loads(Path(story).read_text(encoding="utf-8"))
    order = list(dict.fromkeys(one["place"] for one in known["answers"]))
    first = _first(found, order)
    rest = [one for one in found if one not in first]
    sets = sorted(
        (json.loads(Path(path).read_text(encoding="utf-8")) for path in volumes), key=lambda one: _rank(one["title"], order)
    )
    content = {
        "title": known["title"],
        "story": as_html(known, places(found)),
        "first": first,
        "sections": [(section, list(own)) for section, own in groupby(rest, key=lambda one: one.section)],
        "methods_text": Path(methods_text).read_text(encoding="utf-8"),
        "looks": {one.name: looks(one, sets) for one in found},
        "glossary": (("Metrics", glossary.metrics()), ("Protocols", glossary.protocols())),
        "style": "\n".join(map(table_writer.asset, STYLES)),
        "script": "\n".join(map(table_writer.asset, SCRIPTS)),
    }
    template = table_writer.templates().get_template("index.html")
    bare = len(template.render(**content, volumes="").encode())
    with complete(out) as partial:
        partial.write_text(template.render(**content, volumes=as_script(fitting(sets, LARGEST - bare))), encoding="utf-8")


def places(found: Sequence[Item]) -> dict[str, str]:
    """Return where the page shows what files of the results hold, and links to what it does not show."""
    inside = {f"tables/{one.name}.html": f"#{one.name}" for one in found if one.table}
    return {"quality/index.html": "../quality/index.html", **inside}


def looks(item: Item, sets: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return words and links that open the cases of a figure in the viewer; none for what is not of one test set."""
    known = {one["title"]: (place, one["cases"]) for place, one in enumerate(sets)}
    place, cases = known.get(block_title(*item.block), (0, [])) if item.block and item.picture else (0, [])
    return [(f"{case['name']} ({case['reason']})", f"#look/{place}/{quote(case['name'])}") for case in cases]


def _first(found: Sequence[Item], order: Sequence[str]) -> list[Item]:
    """Return the items that follow the story, one for each of `FIRST` that there is."""
    choices = ([one for one in found if one.name.startswith(name)] for name in FIRST)
    return [min(own, key=lambda one: _rank(block_title(*one.block) if one.block else "", order)) for own in choices if own]


def _rank(title: str, order: Sequence[str]) -> int:
    """Return the place of a test set in the story; those that it leaves out come last."""
    return order.index(title) if title in order else len(order)


def fitting(sets: list[dict[str, Any]], room: int) -> list[dict[str, Any]]:
    """Return test sets with as many of their cases as fit a number of bytes; the last ones of the largest go first."""
    sizes = [[len(json.dumps(case)) for case in one["cases"]] for one in sets]
    left_out = 0
    while sum(map(sum, sizes)) > room and any(sizes):
        largest = max(range(len(sizes)), key=lambda place: sum(sizes[place]))
        sizes[largest].pop()
        left_out += 1
    if left_out:
        warn(f"the viewer leaves out {left_out} cases, or the page would be larger than {LARGEST / 1e6:.0f} MB")
    return [{**one, "cases": one["cases"][: len(kept)]} for one, kept in zip(sets, sizes, strict=True) if kept]


def as_script(sets: list[dict[str, Any]]) -> str:
    """Return the volumes and the colours of maps as JSON that can stand in a page."""
    shades = matplotlib.colormaps[MAP_COLOURS](np.linspace(0, 1, LEVELS + 1))[:, :3]
    colours = np.rint(255 * shades).astype(int).tolist()
    return json.dumps({"sets": sets, "colours": colours}).replace("</", "<\\/") if sets else ""
