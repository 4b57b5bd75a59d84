"""A table for people, written as csv, as LaTeX, as a page that sorts on a click, and as a bare fragment."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from madad.core.provenance import complete
from madad.reporting.layout import latex

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
        low: lower bound of the interval behind a number; NaN for none.
        high: upper bound.
        subjects: how many the number is of; 0 where it is of none, such as a count.
        digits: that the number should have at least, see `decimals`; 0 for a text, which stays as it is.
    """

    text: str
    order: float | None = None
    bold: bool = False
    state: str = ""
    low: float = math.nan
    high: float = math.nan
    subjects: int = 0
    digits: int = 0

    def with_decimals(self, decimals: int) -> Cell:
        """Return the number and its bounds with so many decimals."""
        value, low, high = (f"{one or 0.0:z.{decimals}f}" for one in (self.order, self.low, self.high))
        known = math.isfinite(self.low) and math.isfinite(self.high)
        return replace(self, text=f"{value} [{low}, {high}]" if known else value)

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
    """Rows in groups; a group has a heading, empty for none. The numbers of a column have the same decimals."""

    title: str
    columns: list[Column]
    groups: list[tuple[str, list[list[Cell]]]]
    notes: list[str] = field(default_factory=list)
    group_title: str = ""

    def __post_init__(self) -> None:
        """Give the numbers of every column the same decimals."""
        columns = [iter(even(column)) for column in zip(*(row for _, row in self.rows()), strict=True)]
        for _, rows in self.groups:
            rows[:] = [[next(column) for column in columns] for _ in rows]

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
    return interval(value, math.nan, math.nan, digits=digits)


def plain(value: float, digits: int = 3) -> str:
    """Return a number with fixed decimals, fewer the larger it is: 0.123, 12.3, 1234."""
    return f"{value:z.{decimals([value], digits)}f}"


def decimals(values: Iterable[float], digits: int) -> int:
    """Return one number of decimals for all values: those that suit the largest, or that leave the smallest two digits.

    Args:
        values: finite ones.
        digits: significant digits of a value from 1 on, decimals below 1; never more decimals than that.
    """
    sizes = [abs(value) for value in values if value]
    if not sizes:
        return digits
    whole = len(str(int(max(sizes)))) if max(sizes) >= 1 else 0
    for_smallest = 1 - math.floor(math.log10(min(sizes))) if len(sizes) > 1 else 0
    return max(digits - whole, min(digits, for_smallest), 0)


def interval(value: float, low: float, high: float, *, bold: bool = False, digits: int = 3, subjects: int = 0) -> Cell:
    """Return `0.423 [0.361, 0.484]`; without brackets when the interval is unknown; a dash where there is no number."""
    if not math.isfinite(value):
        return Cell(NOTHING, math.nan)
    made = Cell("", value, bold, low=low, high=high, subjects=subjects, digits=digits)
    return made.with_decimals(decimals([value], digits))


def even(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells of a column, all numbers with the same decimals."""
    own = [cell for cell in cells if cell.digits and cell.order is not None]
    shared = decimals([cell.order or 0.0 for cell in own], max((cell.digits for cell in own), default=0))
    return [cell.with_decimals(shared) if cell.digits else cell for cell in cells]


def write_csv(table: Table, path: str | Path) -> None:
    """Write one line per row; the heading of the group is the first column when there are groups."""
    with complete(path) as partial, open(partial, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        group = [table.group_title] if table.group_title else []
        writer.writerow(group + [column.title for column in table.columns])
        for heading, row in table.rows():
            writer.writerow(([heading] if group else []) + [cell.text for cell in row])


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """Return the rows of a table that `write_csv` wrote."""
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


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
    """Write the table in LaTeX, ready for \\input; see `madad.reporting.layout.latex`."""
    with complete(path) as partial:
        partial.write_text(latex.tex(table), encoding="utf-8")


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
