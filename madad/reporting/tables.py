"""A table for people, written as csv, as LaTeX with booktabs, as a page that sorts on a click, and as a bare fragment."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from madad.provenance import complete

HERE = Path(__file__).parent
NOTHING = "–"
# Snakemake's single-file report does not open HTML results beyond about 2 MB.
LARGEST_PAGE = 1_000_000


@dataclass(frozen=True)
class Cell:
    """One entry.

    Attributes:
        text: as shown.
        order: what it sorts by; the text when None.
        bold: whether it stands out.
        state: `good`, `bad` or `doubtful`, for colour.
    """

    text: str
    order: float | None = None
    bold: bool = False
    state: str = ""

    @property
    def key(self) -> str:
        """Sorting key for the page; what has no number sorts last."""
        if self.order is None:
            return self.text
        return f"{self.order:.9g}" if math.isfinite(self.order) else ""


@dataclass(frozen=True)
class Column:
    """One column: its title, a note shown on hovering, and whether its entries are numbers."""

    title: str
    note: str = ""
    number: bool = True


@dataclass(frozen=True)
class Table:
    """Rows in groups; a group has a heading, empty for none."""

    title: str
    columns: list[Column]
    groups: list[tuple[str, list[list[Cell]]]]
    notes: list[str] = field(default_factory=list)
    group_title: str = ""

    def rows(self) -> Iterator[tuple[str, list[Cell]]]:
        """Every row with the heading of its group."""
        for heading, rows in self.groups:
            for row in rows:
                yield heading, row


def number(value: float, digits: int = 3) -> Cell:
    """A number with so many significant digits or, below 1, decimals; a dash when there is none."""
    if not math.isfinite(value):
        return Cell(NOTHING, math.nan)
    return Cell(plain(value, digits) if value else "0", value)


def plain(value: float, digits: int = 3) -> str:
    """0.123, 12.3, 1234: fixed decimals, fewer the larger the number."""
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:.{max(0, digits - whole)}f}"


def interval(value: float, low: float, high: float, *, bold: bool = False, digits: int = 3) -> Cell:
    """`0.423 [0.36, 0.48]`, the bounds with one decimal less; without brackets when the interval is unknown."""
    if not math.isfinite(value):
        return Cell(NOTHING, math.nan)
    bounds = f" [{plain(low, digits - 1)}, {plain(high, digits - 1)}]" if math.isfinite(low) and math.isfinite(high) else ""
    return Cell(plain(value, digits) + bounds, value, bold)


def write_csv(table: Table, path: str | Path) -> None:
    """One line a row; the heading of the group is the first column when there are groups."""
    with complete(path) as partial, open(partial, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        group = [table.group_title] if table.group_title else []
        writer.writerow(group + [column.title for column in table.columns])
        for heading, row in table.rows():
            writer.writerow(([heading] if group else []) + [cell.text for cell in row])


def write_tex(table: Table, path: str | Path) -> None:
    """A booktabs tabular, ready for \\input; the preamble needs \\usepackage{booktabs}."""
    lines = ["% needs \\usepackage{booktabs}; wide tables: \\resizebox{\\linewidth}{!}{\\input{...}}"]
    lines.append("\\begin{tabular}{" + "".join("r" if column.number else "l" for column in table.columns) + "}")
    lines += ["\\toprule", _tex_row(column.title for column in table.columns)]
    for heading, rows in table.groups:
        lines.append("\\midrule")
        if heading:
            lines.append(f"\\multicolumn{{{len(table.columns)}}}{{l}}{{\\emph{{{_tex(heading)}}}}} \\\\")
        lines += [_tex_row((cell.text for cell in row), [cell.bold for cell in row]) for row in rows]
    lines += ["\\bottomrule", "\\end{tabular}", *(f"% {note}" for note in table.notes)]
    with complete(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_html(table: Table, path: str | Path) -> None:
    """A self-contained page that opens offline; a click on a heading sorts."""
    page = _templates().get_template("table.html").render(table=table, style=_asset("table.css"), script=_asset("sort.js"))
    if len(page.encode()) > LARGEST_PAGE:
        raise ValueError(f"{path}: {len(page)} characters; a page beyond {LARGEST_PAGE} would not open in the report")
    with complete(path) as partial:
        partial.write_text(page, encoding="utf-8")


def write_fragment(table: Table, path: str | Path, below: str = "") -> None:
    """The table alone, styled inline, to be put into another page; `below` is HTML to follow it."""
    with complete(path) as partial:
        partial.write_text(_templates().get_template("fragment.html").render(table=table) + below, encoding="utf-8")


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _asset(name: str) -> str:
    return (HERE / "assets" / name).read_text(encoding="utf-8")


def _tex_row(texts: Iterator[str], bold: list[bool] | None = None) -> str:
    cells = [_tex(text) for text in texts]
    marked = [f"\\textbf{{{cell}}}" if heavy else cell for cell, heavy in zip(cells, bold or [False] * len(cells), strict=True)]
    return " & ".join(marked) + " \\\\"


_TEX = {
    "\\": "\\textbackslash{}",
    "→": "$\\rightarrow$",
    "↑": "$\\uparrow$",
    "↓": "$\\downarrow$",
    "±": "$\\pm$",
    "−": "$-$",
    "–": "--",
    "≥": "$\\ge$",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
}


def _tex(text: str) -> str:
    return re.sub("|".join(map(re.escape, _TEX)), lambda found: _TEX[found.group()], text)
