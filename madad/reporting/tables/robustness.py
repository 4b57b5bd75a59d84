"""What artefacts cost: detection and false positives of every method against severity, from the same samples with and without."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from madad.core.errors import UserError
from madad.core.io.manifest import read_table
from madad.core.provenance import complete
from madad.data.corruptions.severities import CORRUPTIONS
from madad.evaluation.results.collected import block_title, by_block
from madad.evaluation.results.long_table import COLUMNS as LONG
from madad.evaluation.results.metric import Measure
from madad.evaluation.results.metric_table import AUPRC, DICE, FALSE_POSITIVE_RATE
from madad.evaluation.results.protocol_table import HEALTHY_FPR_1, PER_SUBJECT, VALIDATION
from madad.evaluation.statistics.intervals import Interval, jackknife_interval, mean_interval
from madad.evaluation.statistics.method_order import in_words
from madad.reporting.layout import frames
from madad.reporting.layout.table_writer import Cell, Column, Table, interval, number
from madad.reporting.tables.results import write_all

# `base` is the sample that was corrupted; severity 0 is that sample itself, and belongs to every corruption.
COLUMNS = (*LONG, "base", "corruption", "severity")
HEALTHY_FPR = replace(
    FALSE_POSITIVE_RATE @ HEALTHY_FPR_1,
    key="healthy_fpr",
    title="Healthy FPR",
    better=-1,
    note="share of voxels above the threshold in healthy samples; the threshold lets 1 % of healthy validation voxels pass",
)
MEASURES = (AUPRC @ PER_SUBJECT, DICE @ VALIDATION, HEALTHY_FPR)


@dataclass(frozen=True)
class Cost:
    """A measure of one method under one corruption.

    Attributes:
        clean: mean of the samples without the corruption.
        ratio: mean at the highest severity over `clean`.
        slope: change a step of severity, the mean over samples of each sample's least-squares slope.
    """

    clean: float
    ratio: Interval
    slope: Interval


def collect(corrupted_tables: Sequence[Path], clean_tables: Sequence[Path], artefact_tables: Sequence[Path], out: Path) -> None:
    """Write the rows of `MEASURES` of all corrupted samples, and of their bases, as one csv file with `COLUMNS`.

    Args:
        corrupted_tables: long tables of the evaluations on corrupted test sets.
        clean_tables: for each of them the long table of the same run on the test set as it was.
        artefact_tables: for each of them the table of its corrupted samples.

    Raises:
        UserError: an evaluation holds a sample that the table of samples does not know.
    """
    parts = [_joined(*paths) for paths in zip(corrupted_tables, clean_tables, artefact_tables, strict=True)]
    table = pd.concat(parts) if parts else pd.DataFrame(columns=pd.Index(COLUMNS))
    with complete(out) as partial:
        table.to_csv(partial, index=False, columns=list(COLUMNS), lineterminator="\n")


def _joined(metrics: Path, clean: Path, samples: Path) -> pd.DataFrame:
    made = pd.DataFrame(read_table(samples))[["name", "base", "corruption", "severity"]]
    corrupted, before = _wanted(metrics), _wanted(clean)
    unknown = sorted(set(corrupted["sample"]) - set(made["name"]))
    if unknown:
        raise UserError(f"{metrics}: {unknown[0]} is not in {samples}; delete the former and run again")
    before = before[before["sample"].isin(made["base"])].assign(base=lambda own: own["sample"], corruption="", severity="0")
    corrupted = corrupted.merge(made, left_on="sample", right_on="name")
    testset = corrupted["testset"].iloc[0] if len(corrupted) else Path(metrics).parent.name
    return pd.concat([before.assign(testset=testset), corrupted])[list(COLUMNS)]


def _wanted(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    return table[[pair in _PAIRS for pair in zip(table["metric"], table["protocol"], strict=True)]]


_PAIRS = {(measure.metric.name, measure.protocol.name) for measure in MEASURES}


def read_robustness(path: str | Path) -> pd.DataFrame:
    """Return the collected rows: identities as text, `severity` and `value` as numbers."""
    types: dict[Hashable, Any] = {**dict.fromkeys(COLUMNS, str), "value": float, "severity": int}
    return pd.read_csv(path, dtype=types, keep_default_na=False, na_values={"value": ["nan"]})


def by_severity(table: pd.DataFrame, measure: Measure, corruption: str) -> pd.DataFrame:
    """Return one row per sample and one column per severity, 0 first: the mean over seeds, NaN if one seed has no value.

    Args:
        table: rows of one method on one test set.

    Returns:
        Indexed by (subject, base).
    """
    wanted = (table["metric"] == measure.metric.name) & (table["protocol"] == measure.protocol.name)
    wanted &= table["corruption"].isin(["", corruption])
    # False positives count where nothing is to be found.
    wanted &= (table["group"] == "healthy") | (measure != HEALTHY_FPR)
    grouped = table[wanted].groupby(["subject", "base", "severity"])["value"]
    return grouped.mean().where(grouped.count() == grouped.size()).unstack("severity")


def cost(values: pd.DataFrame) -> Cost:
    """Return what a corruption costs, from `by_severity`, over the samples that have a value at every severity."""
    complete_rows = values.dropna()
    subjects = list(complete_rows.index.get_level_values("subject"))
    matrix, severities = complete_rows.to_numpy(), complete_rows.columns.to_numpy(dtype=float)
    if not matrix.size or len(severities) < 2:
        nothing = Interval(np.nan, np.nan, np.nan, 0)
        return Cost(np.nan, nothing, nothing)
    centred = severities - severities.mean()
    slopes = (matrix - matrix.mean(axis=1, keepdims=True)) @ centred / (centred**2).sum()

    def ratio(weights: np.ndarray) -> np.ndarray:
        before, after = weights @ matrix[:, 0], weights @ matrix[:, -1]
        return np.divide(after, before, out=np.full(before.shape, np.nan), where=before > 0)

    over = jackknife_interval(ratio, subjects, "positive")
    return Cost(float(matrix[:, 0].mean()), over, mean_interval(slopes, subjects, "real"))


def write_robustness(robustness_metrics: Path, csv: Path, tex: Path, html: Path) -> None:
    """Write the table: a row per method and corruption, in groups by test set.

    Args:
        robustness_metrics: see `collect`.
    """
    table = read_robustness(robustness_metrics)
    groups = [(f"{block_title(*block)} ({_people(part)})", _rows(part)) for block, part in by_block(table)]
    columns = [Column("Method", number=False), Column("Artefact", number=False)]
    for measure in MEASURES:
        columns += [
            Column(f"{measure.title}, clean", measure.note),
            Column(f"{measure.title}, ratio", "mean at the highest severity over the mean without the artefact"),
            Column(f"{measure.title}, slope", "change a step of severity"),
        ]
    notes = [
        "Same samples with and without the artefact; 95 % intervals over subjects. Thresholds are those of the clean test set."
    ]
    if not groups:
        notes.append("No evaluation of a corrupted test set yet.")
    made = Table("Robustness", columns, groups, notes, "Test set")
    write_all(made, csv, tex, html)


def _people(part: pd.DataFrame) -> str:
    bases = part.drop_duplicates("base")
    return in_words(len(bases), bases["subject"].nunique())


def _rows(part: pd.DataFrame) -> list[list[Cell]]:
    rows = []
    for method, own in frames.by_name(part, "method"):
        for corruption in corruptions_in(part):
            cells = [Cell(method), Cell(CORRUPTIONS[corruption].title)]
            for measure in MEASURES:
                found = cost(by_severity(own, measure, corruption))
                cells += [number(found.clean), _cell(found.ratio, 3), _cell(found.slope, 4)]
            rows.append(cells)
    return rows


def _cell(found: Interval, digits: int) -> Cell:
    return interval(found.value, found.low, found.high, digits=digits)


def corruptions_in(part: pd.DataFrame) -> list[str]:
    """Return the corruptions of a test set, in the order of the catalogue."""
    present = set(part["corruption"])
    return [kind for kind in CORRUPTIONS if kind in present]
