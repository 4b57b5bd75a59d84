"""The reproduction ledger: the tables of the papers, row by row, with this run's values beside the published ones."""

from __future__ import annotations

import csv as csv_files
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from madad.configuration.schema import Options
from madad.core.provenance import complete
from madad.reporting.layout import table_writer
from madad.reporting.reproduction import pages, papers
from madad.reporting.reproduction.claims import Claim, Congruences
from madad.reporting.reproduction.trained_methods import Trained, gather, place
from madad.reporting.reproduction.values import Results, Sheet, Value
from madad.reporting.reproduction.waiting import waits_for

COLUMNS = (
    *("paper", "table", "method", "card", "dataset", "subset", "modality", "slices", "resolution"),
    *("metric", "definition", "threshold", "sees_test_labels", "unit", "published", "published_spread"),
    *("claim_against", "claim_chance", "claim_congruence", "claim_source"),
    *("certainty", "ours", "trained_on", "testset", "measure", "exact", "value", "low", "high", "subjects", "seeds"),
    "waits_for",
)


def write_ledger(
    summary: Path,
    comparisons: Path,
    all_trainings: Sequence[Path],
    all_bases: Mapping[str, str],
    settings: Mapping[str, Mapping[str, Options]],
    parts_by_role: Mapping[str, Mapping[str, str]],
    cohorts: Mapping[str, Options],
    csv: Path,
    tex: Path,
    html: Path,
) -> None:
    """Write the tables of all papers that have a row for a method of this run.

    Args:
        summary: see `madad.evaluation.statistics.summary`.
        comparisons: see `madad.reporting.tables.significance`, for the chance behind published wins.
        all_trainings: the `train.json` of every run, of methods and of their parts.
        all_bases: card of each name of a method or part.
        settings: for each of them its parameters by sequence; a training knows only those that it depends on.
        parts_by_role: for each of them the names of the parts that it is built with.
        cohorts: `dataset` and `spacing_mm` of every cohort.
        csv: every published number with ours, one per row; beside it the file of numbers that every table has.
        tex, html: the tables, one below the other.

    Raises:
        UserError: a file of published results is not valid.
    """
    results = Results(summary, cohorts, parts_by_role, gather(all_trainings, all_bases, settings))
    trained, congruences = results.compared(), Congruences(comparisons)
    known = papers.load()
    sheets = [sheet for paper in known for sheet in _sheets(paper, trained)]
    with complete(csv) as partial, open(partial, "w", newline="", encoding="utf-8") as stream:
        writer = csv_files.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(line for sheet in sheets for line in _records(sheet, results, congruences))
    remarks = _remarks(known, {method.base for method in trained})
    pages.write_tex(sheets, results, congruences, remarks, tex)
    pages.write_html(sheets, results, congruences, remarks, html)
    pages.write_numbers(sheets, results, congruences, table_writer.numbers_beside(csv))


def _sheets(paper: Options, trained: Sequence[Trained]) -> Iterator[Sheet]:
    for table in paper["tables"]:
        placed = place(table["rows"], trained)
        if any(placed):
            yield Sheet(paper, table, placed)


def _remarks(known: Sequence[Options], bases: set[str]) -> list[str]:
    """Return what the tables do not show, so that nothing is missing in silence."""
    remarks = []
    for paper in known:
        silent = [base for base in paper["without_numbers"] if base in bases]
        if silent:
            remarks.append(f"{paper['name']} ({paper['identifier']}), {', '.join(silent)}: {paper['coverage']}")
    if missing := sorted(bases & set(papers.unpublished(known))):
        remarks.append(f"No published number is at hand for {', '.join(missing)}.")
    return remarks


def _records(sheet: Sheet, results: Results, congruences: Congruences) -> Iterator[dict[str, object]]:
    """Yield every published number with ours on its data set; then ours on the other test sets, with nothing beside it."""
    for line, row, method in sheet.lines():
        shared = {"paper": sheet.paper["name"], "table": sheet.table["name"], "method": row["name"], "card": row["card"] or ""}
        shared |= {"ours": method.method, "trained_on": method.cohort} if method else {}
        for number_of, (column, published) in enumerate(zip(sheet.table["columns"], row["values"], strict=True)):
            number, spread = papers.split(published)
            told = {key: column[key] for key in ("dataset", "subset", "modality", "metric", "unit")}
            told |= {key: sheet.table[key] for key in ("slices", "resolution")} | sheet.table["metrics"][column["metric"]]
            told |= {"published": _text(number), "published_spread": _text(spread)}
            told["certainty"] = row.get("certainty", sheet.table["certainty"])
            told["sees_test_labels"] = papers.sees_test_labels(told["threshold"])
            told |= _claimed(congruences.claim(sheet, column, number_of, line))
            serving = results.serving(column)
            values = [results.of(column, row, method, *where) for where in serving] if method else []
            waiting = {"waits_for": waits_for(column, row, method is not None, bool(serving))}
            yield from ({**shared, **told, **(_ours(value) if value else waiting)} for value in values or [None])
        if method is None:
            continue
        for column in sheet.kinds():
            told = {key: column[key] for key in ("metric", "unit")}
            values = [results.of(column, row, method, *where) for where in results.others(sheet)]
            yield from ({**shared, **told, "modality": value.modality, **_ours(value)} for value in values if value)


def _claimed(claim: Claim | None) -> dict[str, object]:
    if claim is None:
        return {}
    numbers = {"claim_chance": _text(claim.chance), "claim_congruence": _text(claim.congruence)}
    return {"claim_against": claim.against, **numbers, "claim_source": claim.source}


def _ours(value: Value) -> dict[str, object]:
    numbers = {key: _text(getattr(value, key)) for key in ("value", "low", "high")}
    return {
        **{key: getattr(value, key) for key in ("testset", "measure", "subjects", "seeds")},
        "exact": int(value.exact),
        **numbers,
    }


def _text(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.6g}"
