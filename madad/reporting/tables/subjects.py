"""Which subjects have a lesion at all? A table of how well one score per subject tells them from healthy ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from madad.evaluation.protocol.ceilings import REFERENCE
from madad.evaluation.protocol.inputs import HEALTHY, UNKNOWN
from madad.evaluation.results.collected import BLOCK, block_title, read_metrics, select
from madad.evaluation.results.metric_table import (
    SUBJECT_AP,
    SUBJECT_AUROC,
    SUBJECT_SCORE,
    SUBJECT_SENSITIVITY_90,
    SUBJECT_SENSITIVITY_95,
    UNMARKED,
)
from madad.evaluation.results.protocol_table import PROTOCOLS
from madad.evaluation.statistics import method_order
from madad.evaluation.statistics.intervals import over_trainings
from madad.reporting.layout.table_writer import Cell, Column, Table, interval, number
from madad.reporting.tables.ceilings import CEILING_NOTE
from madad.reporting.tables.results import named, write_all

# Ways of making one number of a map.
REDUCTIONS = {protocol.name: protocol.title for protocol in PROTOCOLS if protocol.kind == "subject score"}
COLUMNS = (SUBJECT_AUROC, SUBJECT_AP, SUBJECT_SENSITIVITY_90, SUBJECT_SENSITIVITY_95)
METRICS = (SUBJECT_AUROC, SUBJECT_AUROC.bound("low"), SUBJECT_AUROC.bound("high"), *COLUMNS[1:])
NAMES = [metric.name for metric in METRICS]
NOTE = (
    "Healthy test subjects against those with a lesion, by one score a subject. AUROC with its 95 % interval over "
    "subjects (Newcombe 2006, method 5), and over seeds where there are several; none below six subjects. "
    "Sensitivity: share of subjects with a lesion above the score that leaves "
    "so many of the healthy test subjects below it. AP: average precision, which depends on how many of each there are."
)
CAUTION = "Where healthy subjects and those with lesions come from different cohorts, it can be the scanner that is detected."


def write_subjects(
    metrics: Path, bases: Mapping[str, str], csv: Path, tex: Path, html: Path, ceiling_metrics: Path | None = None
) -> None:
    """Write how well each method tells subjects with a lesion from healthy ones, by every way of scoring a subject.

    Args:
        metrics: see `madad.evaluation.results.collected`.
        bases: card of each method's name.
        ceiling_metrics: long table of the reference masks.
    """
    table = read_metrics(metrics)
    found, notes = _found(table), [NOTE, CAUTION]
    methods, groups = [*method_order.methods_in(table)], []
    if ceiling_metrics is not None:
        found |= _found(read_metrics(ceiling_metrics))
        methods, notes = [*methods, REFERENCE], [CEILING_NOTE, *notes]
    for block in method_order.blocks_in(table):
        title, people = block_title(*block), _people(table, block)
        own = [
            (
                f"{title}: {words} ({people})",
                [_line(name, found[key], bases) for name in methods if (key := (*block, reduction, name)) in found],
            )
            for reduction, words in REDUCTIONS.items()
        ]
        groups += [(heading, lines) for heading, lines in own if lines]
        if not any(lines for _, lines in own):
            notes.append(f"{title}: {people}; nothing to tell apart.")
    columns = [Column("Method", number=False), *(Column(f"{metric.title} ↑", metric.note) for metric in COLUMNS)]
    made = Table("Subject-level detection", columns, groups, notes, group_title="Test set and score")
    write_all(made, csv, tex, html)


def _over_seeds(values: np.ndarray) -> list[float]:
    """Return the numbers of `METRICS` over seeds, from those of each (seeds, metrics)."""
    bounds = over_trainings(*values[:, :3].T, SUBJECT_AUROC.scale)
    return [float(values[:, 0].mean()), *bounds, *map(float, values[:, 3:].mean(axis=0))]


def _found(table: pd.DataFrame) -> dict[tuple, list[float]]:
    """Return the values of `METRICS` by block, reduction and method."""
    rows = pd.concat([select(table, metric) for metric in METRICS])
    keys = [*BLOCK, "protocol", "method"]
    by_seed = rows.set_index([*keys, "seed", "metric"])["value"].unstack("metric").reindex(columns=NAMES)
    parts = {key: own.to_numpy() for key, own in by_seed.groupby(level=keys)}
    return {key: _over_seeds(own) for key, own in parts.items() if np.isfinite(own[:, 0]).any()}


def _line(method: str, values: list[float], bases: Mapping[str, str]) -> list[Cell]:
    return [named(method, bases), interval(*values[:3]), *(number(value) for value in values[3:])]


def _people(table: pd.DataFrame, block: tuple) -> str:
    scores = select(table, SUBJECT_SCORE)
    own = scores[method_order.inside(scores, block)].drop_duplicates("sample")
    healthy, unknown = (int((own["group"] == group).sum()) for group in (HEALTHY, UNKNOWN))
    sick, counted = len(own) - healthy - unknown, select(table, UNMARKED)
    unmarked = counted.loc[method_order.inside(counted, block), "value"].max() - unknown
    told = f"{healthy} healthy, {sick} sample{'s' if sick != 1 else ''} with a lesion"
    told += f", {unmarked:.0f} of them without a reference mask" if unmarked > 0 else ""
    return told + (f"; {unknown} more of unknown group, not compared" if unknown else "")
