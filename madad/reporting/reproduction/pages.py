"""The reproduction ledger for people: the papers' tables one below the other, as a page and as LaTeX."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from madad.configuration.schema import Options
from madad.core.provenance import complete
from madad.evaluation.results.measures import by_key
from madad.reporting.layout import latex, table_writer
from madad.reporting.layout.table_writer import NOTHING, Cell, Column, Table
from madad.reporting.reproduction import differences, papers
from madad.reporting.reproduction.claims import LEGEND as CLAIMS
from madad.reporting.reproduction.claims import Claim, Congruences
from madad.reporting.reproduction.trained_methods import Trained
from madad.reporting.reproduction.values import Results, Sheet, Value
from madad.reporting.tables.significance import p_text

UNITS = {"percent": "%", "share": "", "thousandths": "×1000", "dB": "dB", "ratio": "", "relative percent": "%"}
CERTAINTY = {
    "text": "",
    "fig": "[fig]: decoded from a figure or from the image of a table.",
    "page": "[page]: from a page about the paper.",
    "damaged": "[damaged]: from a damaged copy of the text, to be checked before it is quoted.",
    "recall": "[recall]: from memory, to be checked before it is quoted.",
}
NONE = "No table of a paper has a row for a method of this run."
LEGEND = (
    "Published values stand in the paper's order; beside each is this run's value with its 95 % interval, on a test set that is "
    "the same data set in the same sequence, by the paper's protocol. ≈ marks another protocol, the nearest measured here. "
    "Green: the published value lies inside the interval; yellow: outside. An empty field is a method that is not in this run, a "
    f"{NOTHING} one without a value.",
    "Under “other data” stand this run's values on its other test sets. They are not comparable with the published ones.",
    CLAIMS,
)


@dataclass(frozen=True)
class Layout:
    """A sheet as a table.

    Attributes:
        source, protocol: where its numbers were read, and how they are made.
        facts: which slices, which resolution, and for every metric its definition and threshold.
        head: the upper row of headings, each with those below it, beginning with the third column.
        table: everything else; its notes are about this table alone.
    """

    source: str
    protocol: str
    facts: list[str]
    head: list[tuple[str, list[str]]]
    table: Table


@dataclass(frozen=True)
class Chapter:
    """A paper: what it is, its tables, and why a re-run may differ."""

    name: str
    about: str
    layouts: list[Layout]
    reasons: list[str]


def write_html(sheets: Sequence[Sheet], results: Results, congruences: Congruences, remarks: Sequence[str], path: Path) -> None:
    """Write all tables as a page that opens offline; with a line that says so when there are none."""
    template = table_writer.templates().get_template("ledger.html")
    page = template.render(chapters=chapters(sheets, results, congruences), legend=LEGEND, remarks=remarks)
    with complete(path) as partial:
        partial.write_text(page, encoding="utf-8")


def write_tex(sheets: Sequence[Sheet], results: Results, congruences: Congruences, remarks: Sequence[str], path: Path) -> None:
    """Write all tables as floats, each below comments that say what it is."""
    blocks = []
    for chapter in chapters(sheets, results, congruences):
        blocks.append("".join(f"% {line}\n" for line in (chapter.name, chapter.about, *chapter.reasons)))
        for one in chapter.layouts:
            facts = "".join(f"% {fact}\n" for fact in one.facts)
            blocks.append(f"% {one.source}\n% {one.protocol}\n{facts}{latex.tex(one.table)}")
    notes = "".join(f"% {remark}\n" for remark in [*remarks, *([] if sheets else [NONE])])
    with complete(path) as partial:
        partial.write_text("\n".join([*blocks, notes]), encoding="utf-8")


def write_numbers(sheets: Sequence[Sheet], results: Results, congruences: Congruences, path: Path) -> None:
    """Write every number of all tables on a line of its own, published ones and ours, with the columns of other tables."""
    tables = [one.table for chapter in chapters(sheets, results, congruences) for one in chapter.layouts]
    named = [replace(table, columns=_by_name(table.columns)) for table in tables]
    table_writer.write_all_numbers(named, path)


def _by_name(columns: Sequence[Column]) -> list[Column]:
    """Return columns under whose title ours is named after the published one before it."""
    before = ["", *(column.title for column in columns[:-1])]
    return [
        replace(column, title=f"{first}, ours") if column.title == "ours" else column
        for column, first in zip(columns, before, strict=True)
    ]


def chapters(sheets: Sequence[Sheet], results: Results, congruences: Congruences) -> list[Chapter]:
    """Return the tables by paper."""
    made = []
    for name in dict.fromkeys(sheet.paper["name"] for sheet in sheets):
        own = [sheet for sheet in sheets if sheet.paper["name"] == name]
        paper = own[0].paper
        authors = f"{paper['authors']}. " if paper["authors"] else ""
        about = f"{authors}{paper['title']}. {paper['venue']}, {paper['year']} ({paper['identifier']}). {paper['coverage']}"
        placed = [(row, method) for sheet in own for _, row, method in sheet.lines() if method]
        run = differences.of_run(paper, placed, results.cohorts)
        parts = [line for _, method in placed for part in results.beneath(method) for line in differences.settings(part, {})]
        layouts = [layout(sheet, results, congruences) for sheet in own]
        made.append(Chapter(name, about, layouts, list(dict.fromkeys([*paper["reasons"], *run, *parts]))))
    return made


def layout(sheet: Sheet, results: Results, congruences: Congruences) -> Layout:
    """Return a published table with ours beside every column that we can measure, and our other test sets to the right."""
    table, kinds = sheet.table, sheet.kinds()
    published = f"published{certainty_mark(table['certainty'])}"
    head = [(column_name(column), [published, "ours"] if _measured(column) else [published]) for column in table["columns"]]
    flat = [Column(title if below == published else below) for title, pair in head for below in pair]
    for testset, modality in results.others(sheet):
        group = f"other data: {testset}, {modality}"
        head.append((group, [_metric(kind) for kind in kinds]))
        flat += [Column(f"{group}, {_metric(kind)}", _note(kind)) for kind in kinds]
    title = f"{sheet.paper['name']}, {table['name']}: {table['title']}"
    columns = [Column("Method", number=False), Column("Here", number=False), *flat]
    rows = [_row(sheet, place, method, results, congruences) for place, _, method in sheet.lines()]
    protocol = table["protocol"] + (f" ± is the {table['spread']}." if table["spread"] else "")
    source, facts = f"Read in: {table['source']}.", list(facts_of(table))
    return Layout(source, protocol, facts, head, Table(title, columns, [("", rows)], _notes(sheet, results)))


def facts_of(table: Options) -> Iterator[str]:
    """Yield which slices a table is of, at which resolution, and how its metrics are made."""
    yield f"Slices: {table['slices']}. Resolution: {table['resolution']}."
    for metric, known in table["metrics"].items():
        threshold = "" if known["threshold"] == "none" else f" Threshold: {known['threshold']}."
        yield f"{metric}: {known['definition']}.{threshold}"


def _row(sheet: Sheet, place: int, method: Trained | None, results: Results, congruences: Congruences) -> list[Cell]:
    row = sheet.table["rows"][place]
    origin = f", trained on {method.cohort}" if method and sheet.several else ""
    cells = [Cell(row["name"]), Cell(method.name + origin if method else "")]
    for number_of, column in enumerate(sheet.table["columns"]):
        digits = digits_of(sheet.table, number_of)
        number, spread = papers.split(row["values"][number_of])
        own = (
            certainty_mark(row["certainty"]) if row.get("certainty", sheet.table["certainty"]) != sheet.table["certainty"] else ""
        )
        cells.append(_published(number, spread, digits, own, congruences.claim(sheet, column, number_of, place)))
        if _measured(column):
            found = [results.of(column, row, method, *place) for place in results.serving(column)] if method else []
            cells.append(_ours(found[0] if found else None, digits, number, method))
    for testset, modality in results.others(sheet):
        for kind in sheet.kinds():
            value = results.of(kind, row, method, testset, modality) if method else None
            digits = digits_of(sheet.table, sheet.table["columns"].index(kind))
            cells.append(_ours(value, digits, math.nan, method, kind["measure"]))
    return cells


def _published(number: float, spread: float, digits: int, mark: str, claim: Claim | None) -> Cell:
    if math.isnan(number):
        return Cell(NOTHING, math.nan)
    chance = f", p (chance) {p_text(claim.chance)}" if claim and math.isfinite(claim.chance) else ""
    return Cell(published_text(number, spread, digits) + mark + chance, number)


def published_text(number: float, spread: float, digits: int) -> str:
    """Return a published number with its spread."""
    if math.isnan(number):
        return NOTHING
    return f"{number:.{digits}f}" + ("" if math.isnan(spread) else f" ± {spread:.{digits}f}")


def _ours(value: Value | None, digits: int, published: float, method: Trained | None, measure: str | None = None) -> Cell:
    """Return our number; coloured where it answers a published one by the same protocol."""
    if value is None:
        return Cell(NOTHING if method else "", math.nan)
    known = math.isfinite(value.low) and math.isfinite(value.high)
    bounds = f" [{value.low:.{digits}f}, {value.high:.{digits}f}]" if known else ""
    nearest = value.measure != measure if math.isnan(published) else not value.exact
    inside = known and value.low <= published <= value.high
    state = "" if math.isnan(published) or nearest or not known else "good" if inside else "doubtful"
    text = ("≈ " if nearest else "") + f"{value.value:.{digits}f}{bounds}"
    return Cell(text, value.value, state=state, low=value.low, high=value.high, subjects=value.subjects)


def _notes(sheet: Sheet, results: Results) -> list[str]:
    measured = [column for column in sheet.table["columns"] if _measured(column)]
    values = [
        [
            results.of(column, row, method, *where)
            for _, row, method in sheet.lines()
            if method
            for where in results.serving(column)
        ]
        for column in measured
    ]
    counts = [{value.subjects for value in own if value} for own in values]
    marks = {sheet.table["certainty"], *(row["certainty"] for row in sheet.table["rows"] if "certainty" in row)}
    unmeasured = [] if measured else ["Nothing is measured here in this way; the published numbers stand alone."]
    return [
        *unmeasured,
        *(CERTAINTY[mark] for mark in sorted(marks) if CERTAINTY[mark]),
        *(f"{row['name']}: {row['note']}." for row in sheet.table["rows"] if "note" in row),
        *dict.fromkeys(differences.of_subjects(measured, counts)),
        *differences.of_columns(measured, results.tested(measured)),
    ]


def _measured(column: Options) -> bool:
    return bool(column["measure"] or column["nearest"])


def column_name(column: Options) -> str:
    """Return a column in words: data set, sequence and metric with its unit."""
    dataset = (
        (column["dataset"] or "data set not stated")
        + (f"-{column['subset']}" if column["subset"] else "")
        + (", simulated" if column["simulated"] else "")
    )
    return f"{dataset}, {column['modality']}: {_metric(column)}"


def _metric(column: Options) -> str:
    unit = UNITS[column["unit"]]
    return f"{column['metric']} ({unit})" if unit else column["metric"]


def _note(column: Options) -> str:
    return by_key()[column["measure"] or column["nearest"]].note


def certainty_mark(certainty: str) -> str:
    """Return the mark of a number that was not read in the text of its paper."""
    return f" [{certainty}]" if certainty != "text" else ""


def digits_of(table: Options, place: int) -> int:
    """Return the decimals of a column: as many as its most precise value has."""
    numbers = [papers.split(row["values"][place])[0] for row in table["rows"]]
    return max((len(f"{number:.10g}".partition(".")[2]) for number in numbers if not math.isnan(number)), default=0) or 1
