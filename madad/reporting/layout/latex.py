"""A table in LaTeX with booktabs: floats that fit the pages of a journal at a size that can be read.

A table that is too wide is cut into parts that repeat its first column, one below the other; one that is too long goes on in
further floats that repeat its head. Letters are never scaled. Widths are those of the narrower of two common classes: Springer's
LNCS, 12.2 cm; the other is article with two columns, which `table*` spans.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from madad.reporting.layout.table_writer import Cell, Column, Table

TEXT_WIDTH = 345.0  # points; of LNCS 347
SIZES = (8, 7)  # points of the letters: the first that needs no cut, or else the last
GAP = 3.0  # points on each side of a column
LINES = 48  # of a float, its headings included
NARROWEST_HEAD, WIDEST_TEXT = 7, 34  # letters of a line in a head; in a column of texts, which wraps longer ones
PACKAGES = "array,booktabs"
# Advance widths of Computer Modern at 7 points, over the size; bold is wider.
_NARROW, _WIDE = "iljtf.,:;|'![]() ", "mwMWABCDEFGHKLNOPQRTUVXYZ%+=<>±→↑↓≥≤≈×−–@&"
_EM = {**dict.fromkeys(_NARROW, 0.36), **dict.fromkeys(_WIDE, 0.85)}
_OTHER, _BOLD = 0.59, 1.17


def width(text: str, size: float, bold: bool = False) -> float:
    """Return about how wide a text is in points, rather too much than too little."""
    return size * sum(_EM.get(letter, _OTHER) for letter in text) * (_BOLD if bold else 1.0)


def tex(table: Table) -> str:
    """Return a table as one or more floats with captions, to be put between the paragraphs of a text by \\input."""
    size = next((one for one in SIZES if len(_parts(table, one)) == 1), SIZES[-1])
    floats = list(_floats(table, size))
    lines = [f"% needs \\usepackage{{{PACKAGES}}}"]
    for place, tabulars in enumerate(floats):
        part = f" (part {place + 1} of {len(floats)})" if len(floats) > 1 else ""
        lines += ["\\begin{table*}[tp]", "\\centering", f"\\caption{{{escaped(table.title)}{part}}}"]
        lines += [f"\\fontsize{{{size}}}{{{1.2 * size:g}}}\\selectfont\\setlength{{\\tabcolsep}}{{{GAP:g}pt}}%"]
        lines += ["\n\\par\\medskip\n".join(tabulars), "\\end{table*}"]
    return "\n".join([*lines, *(f"% {note}" for note in table.notes)]) + "\n"


def _floats(table: Table, size: int) -> Iterator[list[str]]:
    """Yield the tabulars of every float: all parts of some rows, then those of the next."""
    held: list[str] = []
    used, parts = 0, _parts(table, size)
    for groups in _pages(table):
        for part in parts:
            needed = _height(table, groups, part)
            if held and used + needed > LINES:
                yield held
                held, used = [], 0
            held.append(_tabular(table, groups, part))
            used += needed
    if held:
        yield held


def _parts(table: Table, size: float) -> list[list[int]]:
    """Return the columns of every part; the first column is in all of them."""
    sizes = [_column_width(table, place, size) for place in range(len(table.columns))]
    parts = [[0]]
    for place in range(1, len(sizes)):
        if len(parts[-1]) > 1 and sum(sizes[one] for one in parts[-1]) + sizes[place] > TEXT_WIDTH:
            parts.append([0])
        parts[-1].append(place)
    return parts


def _column_width(table: Table, place: int, size: float) -> float:
    lines = [width(line, size) for line in _head_lines(table, place)]
    cells = [width(row[place].text, size, row[place].bold) for _, row in table.rows()]
    if not table.columns[place].number:
        cells = [min(cell, WIDEST_TEXT * size * _OTHER) for cell in cells]
    return max([*lines, *cells]) + 2 * GAP


def _head_lines(table: Table, place: int) -> list[str]:
    """Return a title in lines about as long as what stands below it."""
    title = table.columns[place].title.replace(" ↑", "\u00a0↑").replace(" ↓", "\u00a0↓")
    longest = max((len(row[place].text) for _, row in table.rows()), default=0)
    # not at non-breaking spaces, at which textwrap would break as well
    kept = title.replace("\u00a0", "\u0000")
    lines = textwrap.wrap(kept, max(NARROWEST_HEAD, min(longest, WIDEST_TEXT)), break_long_words=False, break_on_hyphens=False)
    return [line.replace("\u0000", "\u00a0") for line in lines] or [""]


def _pages(table: Table) -> Iterator[list[tuple[str, list[list[tuple[Cell, str]]]]]]:
    """Yield the groups in portions that fit a float, whatever part of the columns they are shown with."""
    every, held, used = list(range(len(table.columns))), [], 0
    for heading, rows in table.filled():
        for row in rows:
            needed = _lines_of(table, row, every)
            if held and used + needed > LINES - 6:  # head, rules and headings
                yield held
                held, used = [], 0
            if not held or held[-1][0] != heading:
                held.append((heading, []))
                used += 1
            held[-1][1].append(row)
            used += needed
    if held or not list(table.rows()):
        yield held


def _height(table: Table, groups: Sequence[tuple[str, list]], part: Sequence[int]) -> int:
    head = max(len(_head_lines(table, place)) for place in part)
    return head + 2 + sum(bool(heading) + sum(_lines_of(table, row, part) for row in rows) for heading, rows in groups)


def _lines_of(table: Table, row: Sequence[tuple[Cell, str]], part: Sequence[int]) -> int:
    texts = [len(row[place][0].text) for place in part if not table.columns[place].number]
    return max((math.ceil(length / (0.8 * WIDEST_TEXT)) if length > WIDEST_TEXT else 1 for length in texts), default=1)


def _tabular(table: Table, groups: Sequence[tuple[str, list[list[tuple[Cell, str]]]]], part: Sequence[int]) -> str:
    kinds = "".join(_kind(table, place) for place in part)
    lines = [f"\\begin{{tabular}}{{{kinds}}}", "\\toprule"]
    lines.append(_row([_head(table.columns[place], _head_lines(table, place)) for place in part]))
    for heading, rows in groups:
        lines.append("\\midrule")
        if heading:
            lines.append(f"\\multicolumn{{{len(part)}}}{{l}}{{\\emph{{{escaped(heading)}}}}} \\\\")
        lines += [_row([_cell(*row[place]) for place in part]) for row in rows]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"])


def _kind(table: Table, place: int) -> str:
    if table.columns[place].number:
        return "r"
    long = any(len(row[place].text) > WIDEST_TEXT for _, row in table.rows())
    return f">{{\\raggedright\\arraybackslash}}p{{{WIDEST_TEXT / 2:g}em}}" if long else "l"


def _head(column: Column, lines: Sequence[str]) -> str:
    if len(lines) == 1:
        return escaped(lines[0])
    side, broken = "r" if column.number else "l", " \\\\ ".join(map(escaped, lines))
    return f"\\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{broken}\\end{{tabular}}"


def _row(cells: Sequence[str]) -> str:
    # LaTeX takes a bracket or a star that follows the end of a line for its option.
    start = "{}" if cells and cells[0].startswith(("[", "*")) else ""
    return start + " & ".join(cells) + " \\\\"


def _cell(cell: Cell, filler: str) -> str:
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
