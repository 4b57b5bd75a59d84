"""What the reproduction ledger is made of: published tables with who stands in them, and this run's values in their units."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from madad.configuration.schema import Options
from madad.configuration.settings import IMPLANTED, cohort_of
from madad.evaluation.results.measures import by_key
from madad.evaluation.results.metric_table import L1
from madad.evaluation.statistics.summary import read_summary
from madad.reporting.reproduction import papers
from madad.reporting.reproduction.trained_methods import Trained


@dataclass(frozen=True)
class Value:
    """A number of this run in the unit of a published column.

    Attributes:
        testset, modality, measure: what it is.
        exact: whether the measure follows the paper's protocol and the test set is its data set.
        value, low, high: with its 95 % interval, NaN where there is none.
        subjects, seeds: behind it.
    """

    testset: str
    modality: str
    measure: str
    exact: bool
    value: float
    low: float
    high: float
    subjects: int
    seeds: int


@dataclass(frozen=True)
class Sheet:
    """A published table and who of this run stands in its rows.

    Attributes:
        paper, table: from `papers.load`.
        placed: the trained methods of every row, none for most.
    """

    paper: Options
    table: Options
    placed: list[list[Trained]]

    @property
    def several(self) -> bool:
        """Whether the methods were trained on more than one cohort."""
        return len({method.cohort for trained in self.placed for method in trained}) > 1

    def kinds(self) -> list[Options]:
        """Return one column for everything that is measured, whatever the data set; unmeasured columns have none."""
        kinds: dict[tuple, Options] = {}
        for column in self.table["columns"]:
            if column["measure"] or column["nearest"]:
                kinds.setdefault((column["measure"], column["nearest"], column["unit"]), column)
        return list(kinds.values())

    def lines(self) -> Iterator[tuple[int, Options, Trained | None]]:
        """Yield place and row in the paper's order, once for every trained method, at least once."""
        for place, (row, trained) in enumerate(zip(self.table["rows"], self.placed, strict=True)):
            yield from ((place, row, method) for method in trained or [None])


class Results:
    """The summary of a run, asked for what a published column wants.

    Attributes:
        cohorts: `dataset` and `spacing_mm` of every cohort.
        parts: names of what every method stands on, by role.
        trained: everything that was trained.
        testsets: pairs of test set and modality, in the order of the summary.
    """

    def __init__(
        self,
        summary: Path,
        cohorts: Mapping[str, Options],
        parts: Mapping[str, Mapping[str, str]],
        trained: Sequence[Trained],
    ) -> None:
        lines = read_summary(summary)
        keys = ["cohort", "method", "modality", "testset", "measure"]
        self.cohorts, self.parts, self.trained = cohorts, parts, trained
        self.testsets = list(dict.fromkeys(zip(lines["testset"], lines["modality"], strict=True)))
        self.methods = set(lines["method"])
        self._lines = {tuple(line[key] for key in keys): line for line in lines.to_dict("records")}

    def compared(self) -> list[Trained]:
        """Return the trained methods that have numbers; the others are parts alone."""
        return [method for method in self.trained if method.method in self.methods]

    def beneath(self, method: Trained) -> list[Trained]:
        """Return what a method is built from, directly or not."""
        names = self.parts.get(method.method, {}).values()
        direct = [other for other in self.trained if other.cohort == method.cohort and other.method in names]
        return [found for part in direct for found in (part, *self.beneath(part))]

    def serving(self, column: Options) -> list[tuple[str, str]]:
        """Return the test sets that are the data set of a column, in its sequence."""
        return [(name, modality) for name, modality in self.testsets if self._serves(column, name, modality)]

    def others(self, sheet: Sheet) -> list[tuple[str, str]]:
        """Return the test sets that are the data set of no column of a table; none for a table of which nothing is measured."""
        if not sheet.kinds():
            return []
        serving = {place for column in sheet.table["columns"] for place in self.serving(column)}
        return [place for place in self.testsets if place not in serving]

    def tested(self, columns: Sequence[Options]) -> dict[str, set[str]]:
        """Return the sequences in which the data sets of columns were tested."""
        found: dict[str, set[str]] = {}
        for column in columns:
            others = {modality for name, modality in self.testsets if self._serves(column, name, column["modality"])}
            if column["dataset"]:
                found.setdefault(column["dataset"], set()).update(others)
        return found

    def of(self, column: Options, row: Options, method: Trained, testset: str, modality: str) -> Value | None:
        """Return a method's number on a test set by the column's measure, else by the nearest one."""
        for measure, same in ((column["measure"], True), (column["nearest"], False)):
            found = self._number(measure, row, method, testset, modality, papers.RANGES[column["unit"]][2]) if measure else None
            if found:
                exact = same and self._serves(column, testset, modality)
                return Value(testset, modality, measure, exact, *found)
        return None

    def _serves(self, column: Options, testset: str, modality: str) -> bool:
        cohort = cohort_of(testset)
        named = {column["dataset"], *column["any_of"]} - {None}
        same = self.cohorts.get(cohort, {}).get("dataset") in named
        # what is measured on healthy subjects is the same with lesioned copies of them in the test set
        healthy = column["measure"] is not None and by_key()[column["measure"]].metric == L1
        kinds = {cohort + IMPLANTED} if column["simulated"] else {cohort, cohort + IMPLANTED} if healthy else {cohort}
        return same and not column["subset"] and modality == column["modality"] and testset in kinds

    def _number(self, measure: str, row: Options, method: Trained, testset: str, modality: str, scale: float) -> tuple | None:
        line = self._lines.get((method.cohort, method.method, modality, testset, measure))
        if line is None or not math.isfinite(line["value"]):
            return None
        counts = int(line["subjects"]), int(line["seeds"])
        if "relative_to" not in row:
            return (*(scale * line[key] for key in ("value", "low", "high")), *counts)
        part = self.parts.get(method.method, {}).get(row["relative_to"])
        base = self._lines.get((method.cohort, part, modality, testset, measure))
        if base is None or not base["value"] > 0:
            return None
        return scale * (line["value"] / base["value"] - 1), math.nan, math.nan, *counts
