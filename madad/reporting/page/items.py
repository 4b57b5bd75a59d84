"""What the page shows, section by section: every figure and table of the report with its caption and its numbers."""

from __future__ import annotations

import base64
import html
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from jinja2 import Environment, StrictUndefined

from madad.core.provenance import ROOT
from madad.reporting.deliverables.registry import DELIVERABLES
from madad.reporting.deliverables.row import Deliverable, Output
from madad.reporting.layout.table_writer import numbers_beside

CAPTIONS = ROOT / "report"
# What a page of a table holds between its head and its scripts; other pages are linked instead.
TABLE = re.compile(r"<!-- table -->(.*)<!-- end of table -->", re.S)
LARGEST_TABLE = 200_000  # characters of a table that is shown open
ALT_WORDS = 250  # characters


@dataclass(frozen=True)
class Item:
    """One figure or table.

    Attributes:
        name: of its file, without suffix.
        section: of the report, without a number.
        title: in words.
        caption: as HTML.
        alt: the figure in one sentence; empty for a table.
        picture: of a figure, as a data URI; else empty.
        table: as HTML; empty for a figure, and for a page of another kind.
        folded: whether the table is too long to be shown open.
        links: words and path, relative to the page.
    """

    name: str
    section: str
    title: str
    caption: str
    alt: str
    picture: str
    table: str
    folded: bool
    links: tuple[tuple[str, str], ...]


def items(shown: Iterable[Path], folder: Path) -> list[Item]:
    """Return what the page shows, in the order of the sections and of the list of deliverables.

    Args:
        shown: files with labels of the deliverables, for all their wildcards.
        folder: of the page, to which links are relative.
    """
    known = [(row, output) for row in DELIVERABLES for output in row.outputs if output.labels]
    found = [(place, *match) for path in shown for place, match in _matches(Path(path), known)]
    found.sort(key=lambda one: (known[one[0]][0].section, one[0], str(one[1])))
    files = [(path, *known[place], values) for place, path, values in found]
    tables = {path.with_suffix("").name for path, *_ in files if path.suffix != ".csv"}
    # the csv file of a table that is shown is linked there
    return [_item(*one, folder) for one in files if one[0].suffix != ".csv" or one[0].with_suffix("").name not in tables]


def _matches(path: Path, known: list[tuple[Deliverable, Output]]) -> Iterator[tuple[int, tuple[Path, dict[str, str]]]]:
    for place, (_, output) in enumerate(known):
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(output.path))
        if match := re.search(rf"(^|/){pattern}$", path.as_posix()):
            yield place, (path, match.groupdict())
            return


def _item(path: Path, row: Deliverable, output: Output, values: dict[str, str], folder: Path) -> Item:
    picture, page = path.suffix == ".png", path.suffix == ".html"
    table = _table(path) if page else ""
    caption = _caption(output.caption, values) if output.caption else html.escape(row.about)
    return Item(
        name=path.stem,
        section=row.section.lstrip("0123456789 "),
        title=_title(output, values),
        caption=caption,
        alt=_alt(row, values) if picture else "",
        picture=_as_uri(path) if picture else "",
        table=table,
        folded=len(table) > LARGEST_TABLE,
        links=tuple((words, os.path.relpath(file, folder)) for words, file in _links(path) if file.exists()),
    )


def _title(output: Output, values: dict[str, str]) -> str:
    labels = dict(output.labels or {})
    labels.pop("Format", None)
    first, *rest = (text.format(**values) for text in labels.values())
    return f"{first} ({', '.join(rest)})" if rest else first


def _alt(row: Deliverable, values: dict[str, str]) -> str:
    about = f"{row.about} {', '.join(values.values())}".strip()
    return about[:ALT_WORDS]


def _links(path: Path) -> list[tuple[str, Path]]:
    """Return what lies beside a figure or table: for papers, and as numbers."""
    stem = path.with_suffix("")
    tables = stem.parent.parent / "tables"
    return [
        ("PDF", stem.with_suffix(".pdf")),
        ("page", path if path.suffix == ".html" else stem.with_suffix(".html")),
        ("numbers (CSV)", numbers_beside(tables / f"{stem.name}.csv")),
        ("CSV", tables / f"{stem.name}.csv"),
        ("LaTeX", tables / f"{stem.name}.tex"),
    ]


def _table(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    inside = TABLE.search(text)
    return inside.group(1) if inside else "" if "<body" in text else text


def _as_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _caption(name: str, values: dict[str, str]) -> str:
    """Return a caption of `report/` as HTML, filled as Snakemake fills it."""
    source = (CAPTIONS / f"{name}.rst").read_text(encoding="utf-8")
    filled = Environment(undefined=StrictUndefined, autoescape=False).from_string(source)
    return as_html(filled.render(snakemake=SimpleNamespace(wildcards=SimpleNamespace(**values))))


def as_html(text: str) -> str:
    """Return the little reStructuredText that captions use as HTML: paragraphs, emphasis, strong emphasis and code."""
    escaped = html.escape(text.strip(), quote=False)
    for pattern, tag in ((r"``(.+?)``", "code"), (r"\*\*(.+?)\*\*", "strong"), (r"\*(\S(?:.*?\S)?)\*", "em")):
        escaped = re.sub(pattern, rf"<{tag}>\1</{tag}>", escaped, flags=re.S)
    return "".join(f"<p>{paragraph.strip()}</p>" for paragraph in re.split(r"\n\s*\n", escaped))
