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
from PIL import Image

from madad.core.workflow_files import FOLDER
from madad.evaluation.results.collected import BLOCK, Block
from madad.reporting.deliverables.registry import DELIVERABLES
from madad.reporting.deliverables.row import SECTIONS, Deliverable, Output
from madad.reporting.layout.table_writer import numbers_beside
from madad.reporting.page import glossary

CAPTIONS = FOLDER / "report"
# What a page of a table holds between its head and its scripts; other pages are linked instead.
TABLE = re.compile(r"<!-- table -->(.*)<!-- end of table -->", re.S)
LARGEST_TABLE = 200_000  # characters of a table that is shown open
ALT_WORDS = 250  # characters
# Inputs of figures whose numbers are in a table of another name.
NUMBERS = {"method_tables": "metrics", "long_table": "metrics", "judged": "quality", "histories": "training"}


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
        tall: whether it is a figure that is higher than wide, and on paper fits an upright sheet better.
        links: words and path, relative to the page.
        numbers: the same, of the csv files that a figure is drawn from.
        definitions: title and place of every metric that the caption or the head of the table names.
        block: cohort, sequence and test set, of what is of one test set alone.
    """

    name: str
    section: str
    title: str
    caption: str
    alt: str
    picture: str
    table: str
    folded: bool
    tall: bool
    links: tuple[tuple[str, str], ...]
    numbers: tuple[tuple[str, str], ...]
    definitions: tuple[tuple[str, str], ...]
    block: Block | None


def items(shown: Iterable[Path], folder: Path) -> list[Item]:
    """Return what the page shows, in the order of the sections and of the list of deliverables.

    Args:
        shown: files with labels of the deliverables, for all their wildcards.
        folder: of the page, to which links are relative.
    """
    known = [(row, output) for row in DELIVERABLES for output in row.outputs if output.labels]
    found = [(place, *match) for path in shown for place, match in _matches(Path(path), known)]
    found.sort(key=lambda one: (SECTIONS.index(known[one[0]][0].section), one[0], str(one[1])))
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
        section=row.section,
        title=_title(row, output, values),
        caption=caption,
        alt=_alt(row, values) if picture else "",
        picture=_as_uri(path) if picture else "",
        table=table,
        folded=len(table) > LARGEST_TABLE,
        tall=picture and _is_tall(path),
        links=_existing(_links(path), folder),
        numbers=_existing(_numbers(path, row), folder) if picture else (),
        definitions=tuple(glossary.mentioned(f"{caption} {table.partition('</thead>')[0]}")),
        block=_block(values),
    )


def _block(values: dict[str, str]) -> Block | None:
    known = [values[key] for key in BLOCK if key in values]
    return (known[0], known[1], known[2]) if len(known) == len(BLOCK) else None


def _existing(files: Iterable[tuple[str, Path]], folder: Path) -> tuple[tuple[str, str], ...]:
    return tuple((words, os.path.relpath(file, folder)) for words, file in files if file.exists())


def _title(row: Deliverable, output: Output, values: dict[str, str]) -> str:
    labels = dict(output.labels or {})
    labels.pop("Format", None)
    texts = [*list(labels.values())[:1], *([row.subsection] if row.subsection else []), *list(labels.values())[1:]]
    first, *rest = dict.fromkeys(text.format(**values) for text in texts)
    return f"{first[:1].upper()}{first[1:]}" + (f" ({', '.join(rest)})" if rest else "")


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
        *([("drawn numbers (CSV)", stem.with_suffix(".csv"))] if path.suffix == ".png" else []),
        ("LaTeX", tables / f"{stem.name}.tex"),
    ]


def _numbers(path: Path, row: Deliverable) -> list[tuple[str, Path]]:
    """Return the csv files that a figure is drawn from."""
    tables = path.parent.parent / "tables"
    names = dict.fromkeys(NUMBERS.get(name, name) for name in row.inputs)
    return [(f"{name}.csv", tables / f"{name}.csv") for name in names]


def _table(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    inside = TABLE.search(text)
    # the caption says in short what the notes say in full
    shown = inside.group(1).replace('<details class="notes" open>', '<details class="notes">') if inside else text
    return "" if "<body" in shown else shown


def _is_tall(path: Path) -> bool:
    with Image.open(path) as image:
        return image.height > image.width


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
