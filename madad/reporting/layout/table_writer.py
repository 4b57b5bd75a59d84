"""A table for people, written as csv, as LaTeX with booktabs, as a page that sorts on a click, and as a bare fragment."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from madad.core.provenance import complete

HERE = Path(__file__).parent
NOTHING = "–"
# Snakemake's single-file report does not open HTML results beyond about 2 MB.
LARGEST_PAGE = 1_000_000
LONGEST_TABULAR = 55  # rows that fit a page
# Around a tabular, closed by a brace: as wide as it is, but no wider than the line.
SHRUNK = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%"


@dataclass(frozen=True)
class Cell:
    """One entry.

    Attributes:
        text: as shown.
        order: what it sorts by; the text when None.
        bold: whether it stands out.
        state: `good`, `bad` or `doubtful`, for colour.
        low: lower bound of the interval behind a number; NaN for none.
        high: upper bound.
        subjects: how many the number is of; 0 where it is of none, such as a count.
    """

    text: str
    order: float | None = None
    bold: bool = False
    state: str = ""
    low: float = math.nan
    high: float = math.nan
    subjects: int = 0

    @property
    def bounds(self) -> str:
        """The interval behind the number, with the space before it; empty for none."""
        found = re.search(r" \[[^\]]*\]$", self.text)
        return found.group() if found else ""

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
        """Return every row with the heading of its group."""
        for heading, rows in self.groups:
            for row in rows:
                yield heading, row

    def filled(self) -> list[tuple[str, list[list[tuple[Cell, str]]]]]:
        """Return the groups, every entry with what to set invisibly behind it, so that numbers stand below numbers."""
        longest = ["" for _ in self.columns]
        for _, row in self.rows():
            longest = [max(most, cell.bounds, key=len) for most, cell in zip(longest, row, strict=True)]
        longest = [most if column.number else "" for most, column in zip(longest, self.columns, strict=True)]
        return [(heading, [_filled(row, longest) for row in rows]) for heading, rows in self.groups]


def _filled(row: list[Cell], longest: list[str]) -> list[tuple[Cell, str]]:
    return [
        (cell, "0" * (len(most) - len(cell.bounds)) if cell.bounds else most) for cell, most in zip(row, longest, strict=True)
    ]


def number(value: float, digits: int = 3) -> Cell:
    """Return a number with so many significant digits or, below 1, decimals; a dash where there is none."""
    if not math.isfinite(value):
        return Cell(NOTHING, math.nan)
    return Cell(plain(value, digits) if value else "0", value)


def plain(value: float, digits: int = 3) -> str:
    """Return a number with fixed decimals, fewer the larger it is: 0.123, 12.3, 1234."""
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:.{max(0, digits - whole)}f}"


def interval(value: float, low: float, high: float, *, bold: bool = False, digits: int = 3, subjects: int = 0) -> Cell:
    """Return `0.423 [0.36, 0.48]`, the bounds with one decimal less; without brackets when the interval is unknown.

    Bounds so close that they would be rounded past the value have all its decimals: `20.8 [20.5, 21.3]`, not `[20, 21]`.
    """
    if not math.isfinite(value):
        return Cell(NOTHING, math.nan)
    if not (math.isfinite(low) and math.isfinite(high)):
        return Cell(plain(value, digits), value, bold, subjects=subjects)
    fewer = [plain(bound, digits - 1) for bound in (low, high)]
    coarse = float(fewer[0]) < value < float(fewer[1]) and all("." in bound for bound in fewer)
    bounds = fewer if coarse else [plain(bound, digits) for bound in (low, high)]
    return Cell(f"{plain(value, digits)} [{', '.join(bounds)}]", value, bold, low=low, high=high, subjects=subjects)


def write_csv(table: Table, path: str | Path) -> None:
    """Write one line per row; the heading of the group is the first column when there are groups."""
    with complete(path) as partial, open(partial, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        group = [table.group_title] if table.group_title else []
        writer.writerow(group + [column.title for column in table.columns])
        for heading, row in table.rows():
            writer.writerow(([heading] if group else []) + [cell.text for cell in row])


def numbers_beside(csv_path: str | Path) -> Path:
    """Return the path of the numbers behind a table, `<table>_numbers.csv` beside its csv file."""
    return Path(csv_path).with_name(f"{Path(csv_path).stem}_numbers.csv")


def write_numbers(table: Table, path: str | Path) -> None:
    """Write every number of a table on a line of its own, unrounded, one number a cell.

    Columns: `group` (heading), `row` (its first entry), `column`, `value`, `lower` and `upper` (interval), `n` (subjects), `bold`
    (1 or 0). What does not exist is empty.
    """
    write_all_numbers([table], path)


def write_all_numbers(tables: Iterable[Table], path: str | Path) -> None:
    """Write the numbers of several tables into one file as `write_numbers` does; one without groups is named by its title."""
    with complete(path) as partial, open(partial, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["group", "row", "column", "value", "lower", "upper", "n", "bold"])
        for table in tables:
            writer.writerows(_numbers(table))


def _numbers(table: Table) -> Iterator[list[str | int]]:
    for heading, row in table.rows():
        for column, cell in zip(table.columns, row, strict=True):
            if cell.order is not None:
                numbers = (f"{one:.9g}" if math.isfinite(one) else "" for one in (cell.order, cell.low, cell.high))
                yield [heading or table.title, row[0].text, column.title, *numbers, cell.subjects or "", int(cell.bold)]


def write_tex(table: Table, path: str | Path) -> None:
    """Write the table in LaTeX, ready for \\input."""
    with complete(path) as partial:
        partial.write_text(tex(table), encoding="utf-8")


def tex(table: Table) -> str:
    """Return a booktabs tabular, shrunk to the line where it is wider; a longtable when it is longer than a page."""
    long = sum(1 for _ in table.rows()) > LONGEST_TABULAR
    kind, needed = ("longtable", "booktabs,longtable") if long else ("tabular", "booktabs,graphicx")
    lines = [f"% needs \\usepackage{{{needed}}}", *([] if long else [SHRUNK])]
    lines.append(f"\\begin{{{kind}}}{{" + "".join("r" if column.number else "l" for column in table.columns) + "}")
    lines += ["\\toprule", _tex_row([escaped(column.title) for column in table.columns])]
    lines += ["\\endhead"] if long else []
    for heading, group in table.filled():
        lines.append("\\midrule")
        if heading:
            lines.append(f"\\multicolumn{{{len(table.columns)}}}{{l}}{{\\emph{{{escaped(heading)}}}}} \\\\")
        lines += [_tex_row([_tex_cell(cell, filler) for cell, filler in row]) for row in group]
    lines += ["\\bottomrule", f"\\end{{{kind}}}" + ("" if long else "}"), *(f"% {note}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def write_html(table: Table, path: str | Path) -> None:
    """Write a self-contained page that opens offline; a click on a heading sorts."""
    page = templates().get_template("table.html").render(table=table, style=asset("table.css"), script=asset("sort.js"))
    if len(page.encode()) > LARGEST_PAGE:
        raise ValueError(f"{path}: {len(page)} characters; a page beyond {LARGEST_PAGE} would not open in the report")
    with complete(path) as partial:
        partial.write_text(page, encoding="utf-8")


def write_fragment(table: Table, path: str | Path, below: str = "") -> None:
    """Write the table alone, styled inline, to be put into another page; `below` is HTML to follow it."""
    with complete(path) as partial:
        partial.write_text(templates().get_template("fragment.html").render(table=table) + below, encoding="utf-8")


@lru_cache(maxsize=1)
def templates() -> Environment:
    """Return the templates of all pages."""
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def asset(name: str) -> str:
    """Return a style sheet or script, to be put into a page."""
    return (HERE / "assets" / name).read_text(encoding="utf-8")


def _tex_row(cells: list[str]) -> str:
    # LaTeX takes a bracket or a star that follows the end of a line for its option.
    start = "{}" if cells and cells[0].startswith(("[", "*")) else ""
    return start + " & ".join(cells) + " \\\\"


def _tex_cell(cell: Cell, filler: str) -> str:
    text = f"\\textbf{{{escaped(cell.text)}}}" if cell.bold else escaped(cell.text)
    return text + (f"\\phantom{{{filler}}}" if filler else "")


_TEX = {
    "\\": "\\textbackslash{}",
    "→": "$\\rightarrow$",
    "↑": "$\\uparrow$",
    "↓": "$\\downarrow$",
    "±": "$\\pm$",
    "−": "$-$",
    "–": "--",
    "≥": "$\\ge$",
    "≤": "$\\le$",
    "≈": "$\\approx$",
    "×": "$\\times$",
    "²": "$^2$",
    "α": "$\\alpha$",
    "γ": "$\\gamma$",
    "Δ": "$\\Delta$",
    "ℓ": "$\\ell$",
    "⌈": "$\\lceil$",
    "⌉": "$\\rceil$",
    "∞": "$\\infty$",
    "…": "\\ldots{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    "\u00a0": "~",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
}


def escaped(text: str) -> str:
    """Return a text for LaTeX."""
    return re.sub("|".join(map(re.escape, _TEX)), lambda found: _TEX[found.group()], text)
