"""Tables as BIDS defines them: tab-separated UTF-8 text without quotation marks, `n/a` for what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from madad.core.errors import UserError
from madad.core.io.manifest import Row

# No cell that a person has written is longer.
LONGEST_CELL = 10_000
QUOTES = ('"', "'")


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        path: its file.
        columns: names as they are written.
        rows: cells by column, as they are written.
        lines: number of the line of every row, counted from 1.
    """

    path: Path
    columns: list[str]
    rows: list[Row]
    lines: list[int]


def read_bids_table(path: Path) -> Table:
    """Read a table strictly: no row is passed over, joined with another one or divided differently from what is written.

    Raises:
        UserError: no UTF-8 text; two columns of one name, or none; a row with another number of cells than the header; cells in
            quotation marks, which BIDS does not have.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason}); save it again as UTF-8") from None
    except FileNotFoundError:
        raise UserError(f"{path}: no such file, but a link to it; fetch the file or correct the link") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read as a table ({error}); replace it by tab-separated text") from None
    if "\0" in text:
        raise UserError(f"{path}: not UTF-8 text (it holds zero bytes, as UTF-16 does); save it again as UTF-8")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    numbered = [(number, line.split("\t")) for number, line in enumerate(lines, start=1) if line.strip()]
    if not numbered:
        raise UserError(f"{path}: the table is empty; delete it or fill it")
    columns = [name.strip() for name in numbered[0][1]]
    _check_columns(path, columns)
    for number, cells in numbered[1:]:
        _check_cells(path, number, cells, columns)
    rows = [dict(zip(columns, cells, strict=True)) for _, cells in numbered[1:]]
    return Table(path, columns, rows, [number for number, _ in numbered[1:]])


def _check_columns(path: Path, columns: list[str]) -> None:
    if len(columns) == 1 and ("," in columns[0] or ";" in columns[0]):
        raise UserError(f"{path}: the header has no tabs ({columns[0]}); separate the columns by tabs")
    lowered = [name.lower() for name in columns]
    twice = sorted({name for name in lowered if lowered.count(name) > 1})
    if twice:
        raise UserError(f"{path}: two columns are called {twice[0] or 'nothing'}; give them different names")


def _check_cells(path: Path, number: int, cells: list[str], columns: list[str]) -> None:
    if len(cells) != len(columns):
        raise UserError(
            f"{path}, line {number}: the number of fields differs from the header ({len(cells)} under {len(columns)} columns); "
            "separate fields by tabs, and write n/a for what is missing"
        )
    if max(map(len, cells)) > LONGEST_CELL:
        raise UserError(f"{path}, line {number}: cannot be read as a table (an endless line); replace it by tab-separated text")
    quoted = [cell for cell in cells if len(cell.strip()) > 1 and cell.strip()[0] == cell.strip()[-1] in QUOTES]
    if quoted:
        raise UserError(
            f"{path}, line {number}: {quoted[0]} is in quotation marks, which are part of the text in BIDS; remove them"
        )
