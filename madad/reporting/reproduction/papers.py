"""Published numbers as data, `madad/published_results/<paper>.yaml`: read, completed and checked."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from madad.configuration import cards, schema
from madad.configuration.schema import Options
from madad.core import yaml_text
from madad.core.errors import UserError
from madad.core.provenance import content_hash, file_hash
from madad.evaluation.results.measures import by_key

FOLDER = Path(__file__).parent / "published_results"
# Lowest and highest number that a unit allows, and what a share is multiplied by to be in it.
RANGES = {
    "percent": (0, 100, 100),
    "share": (0, 1, 1),
    "thousandths": (0, 1000, 1000),
    "dB": (0, 100, 1),
    "ratio": (0, 1000, 1),
    "relative percent": (-100, 1000, 100),
}


def files() -> list[Path]:
    """Return one file per paper, in alphabetical order."""
    return sorted(FOLDER.glob("*.yaml"))


def digest() -> str:
    """Return a hash that changes with every published number."""
    return content_hash([[path.name, file_hash(path)] for path in files()])


def load() -> list[Options]:
    """Return all papers, the oldest first, with the schema's defaults filled in.

    Raises:
        UserError: every problem of every file, one line each.
    """
    papers = {path: yaml_text.load(path.read_text(encoding="utf-8")) for path in files()}
    wrong = [f"{path}: {problem}" for path, paper in papers.items() for problem in problems(paper)]
    wrong = wrong or list(orphans(list(papers.values())))
    if wrong:
        raise UserError("\n".join(wrong))
    return [_filled(paper) for _, paper in sorted(papers.items(), key=lambda item: (item[1]["year"], item[0].name))]


def problems(paper: Options) -> Iterator[str]:
    """Yield what is wrong with a paper's file: one line each, with its place in it."""
    wrong = list(schema.check(paper, _schema()))
    yield from wrong
    if wrong:
        return
    yield from _unknown_cards("without_numbers", paper.get("without_numbers", []))
    for table in paper["tables"]:
        yield from _table_problems(table)


def orphans(papers: Sequence[Options]) -> Iterator[str]:
    """Yield every row that is linked to no method although one is called so: by its card, or by a linked row of any paper."""
    known = {_called(name): name for name in cards.names()}
    rows = [(paper["name"], table["name"], row) for paper in papers for table in paper["tables"] for row in table["rows"]]
    known |= {_called(row["name"]): row["card"] for _, _, row in rows if row["card"]}
    for paper, table, row in rows:
        if row["card"] is None and "apart" not in row and _called(row["name"]) in known:
            card = known[_called(row["name"])]
            yield f"{paper}, {table}, {row['name']}: give it `card: {card}`, or say under `apart` why it is another method"


def unpublished(papers: Sequence[Options]) -> list[str]:
    """Return the cards that no row is linked to, and of which no paper's file says that its numbers could not be had."""
    linked = {row["card"] for paper in papers for table in paper["tables"] for row in table["rows"]}
    return [name for name in cards.names() if name not in linked.union(*(paper.get("without_numbers", []) for paper in papers))]


def sees_test_labels(threshold: str) -> str:
    """Return whether a published number used the best threshold on its own test set: yes, no, not stated; empty for none."""
    if threshold in ("none", "not stated"):
        return "" if threshold == "none" else threshold
    return "yes" if "test labels" in threshold else "no"


def split(value: float | list[float] | None) -> tuple[float, float]:
    """Return a published value and its spread, each NaN where there is none."""
    number, spread = value if isinstance(value, list) else (value, None)
    return math.nan if number is None else float(number), math.nan if spread is None else float(spread)


def datasets() -> set[str]:
    """Return every data set that a published number is of, or that a paper trains on."""
    found = set()
    for paper in load():
        columns = [column for table in paper["tables"] for column in table["columns"]]
        found |= {name for column in columns for name in (column["dataset"], *column["any_of"])}
        found |= {paper["training"]["dataset"]}
    return found - {None}


@cache
def _schema() -> Options:
    return schema.read("published")


def _filled(paper: Options) -> Options:
    kinds = _schema()["properties"]["tables"]["items"]["properties"]
    for table in paper["tables"]:
        table["columns"] = [schema.fill(column, kinds["columns"]["items"]) for column in table["columns"]]
        table["rows"] = [schema.fill(row, kinds["rows"]["items"]) for row in table["rows"]]
    return schema.fill(paper, _schema())


def _table_problems(table: Options) -> Iterator[str]:
    where, known = table["name"], by_key()
    used = {column["metric"] for column in table["columns"]}
    for metric in sorted(used ^ set(table["metrics"])):
        yield f"{where}, metrics: {metric!r} is {'not explained' if metric in used else 'the metric of no column'}"
    for column in table["columns"]:
        for key in ("measure", "nearest"):
            if column.get(key) and column[key] not in known:
                yield schema.unknown(f"{where}, {column['metric']}, {key}", "measure", column[key], known)
    for row in table["rows"]:
        yield from _row_problems(f"{where}, {row['name']}", row, table["columns"])


def _row_problems(where: str, row: Options, columns: list[Options]) -> Iterator[str]:
    yield from _unknown_cards(where, [row["card"]] if row["card"] else [])
    if row["card"] in cards.names():
        card = cards.load(row["card"])
        for key in sorted(set(row.get("variant", {})) - set(card["parameters"])):
            yield schema.unknown(f"{where}, variant", "hyper-parameter", key, card["parameters"])
        for role in sorted({*row.get("parts", []), row.get("relative_to", "")} - {"", *card["requires"]}):
            yield schema.unknown(f"{where}, parts", "role", role, card["requires"])
    if len(row["values"]) != len(columns):
        yield f"{where}: {len(row['values'])} values for {len(columns)} columns"
        return
    for value, column in zip(row["values"], columns, strict=True):
        low, high, _ = RANGES[column["unit"]]
        number, _ = split(value)
        if not math.isnan(number) and not low <= number <= high:
            yield f"{where}, {column['metric']}: {number:g} is not between {low} and {high}, as {column['unit']} must be"


def _called(name: str) -> str:
    """Return what is left of a method's name without its variant, its case and its signs."""
    return re.sub(r"[^a-z0-9]", "", re.split(r"[,(]", name)[0].lower())


def _unknown_cards(where: str, names: list[str]) -> Iterator[str]:
    for name in names:
        if name not in cards.names():
            yield schema.unknown(where, "method", name, cards.names())
