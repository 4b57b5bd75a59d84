"""Thresholds that a long table holds, for other maps of the same run or for another look at the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from madad.core.errors import UserError
from madad.evaluation.metrics.ordinal_scores import ScoreCode, ordinal_at
from madad.evaluation.metrics.thresholds import Choice
from madad.evaluation.results.long_table import read
from madad.evaluation.results.metric_table import THRESHOLD


def read_thresholds(table: Path, names: Sequence[str], identity: dict) -> dict[str, float]:
    """Return thresholds (scores) by protocol, NaN where none could be chosen.

    Args:
        table: long table of a run.
        names: of the protocols.
        identity: of the run: those of `cohort`, `modality`, `method` and `seed` that are known.

    Raises:
        UserError: the table is of another run, or lacks a threshold's row.
    """
    rows = read(table)
    for key in {"cohort", "modality", "method", "seed"} & set(identity):
        found = {line[key] for line in rows} - {str(identity[key])}
        if found:
            raise UserError(f"{table}: the thresholds of {key} {found.pop()}, not of {identity[key]}; give the table of this run")
    known = {line["protocol"]: float(line["value"]) for line in rows if line["metric"] == THRESHOLD.name and not line["sample"]}
    missing = [name for name in names if name not in known]
    if missing:
        raise UserError(f"{table}: has no threshold of {', '.join(missing)}; delete the file and run again")
    return {name: known[name] for name in names}


def as_choice(table: Path, score: float, code: ScoreCode) -> Choice:
    """Return the threshold that a table gives, NaN for none, among the scores of other maps.

    The nearest float32 is the score that was written, with nine of its digits.
    """
    if np.isnan(score):
        return Choice(None, f"{table} has none")
    return Choice(ordinal_at(float(np.float32(score)), code) if np.isfinite(score) else -1)
