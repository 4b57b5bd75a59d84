"""What tables say of trainings: sizes, times, machines, and the weights that they started from."""

from __future__ import annotations

import math

import pandas as pd

from madad.configuration.initial_weights import SCRATCH
from madad.reporting.layout import table_writer
from madad.reporting.layout.table_writer import Cell, number


def of_block(trained: pd.DataFrame, method: str, own: pd.DataFrame) -> pd.DataFrame:
    """Return the trainings behind a method's row: of its block's cohort and modality."""
    if trained.empty:
        return trained
    chosen = trained["method"] == method
    for key in ("cohort", "modality"):
        chosen &= trained[key] == own.iloc[0][key]
    return trained[chosen]


def told(runs: pd.DataFrame, key: str) -> str:
    """Return the different texts that trainings report."""
    texts = sorted(set(runs[key].dropna().astype(str))) if key in runs else []
    return ", ".join(texts) or table_writer.NOTHING


def parameters(runs: pd.DataFrame) -> Cell:
    """Return the number of weights in millions as a cell."""
    return number(mean(runs, "parameter_count") / 1e6)


def mean(runs: pd.DataFrame, column: str) -> float:
    """Return the mean of what trainings report as a number; NaN where none does."""
    return float(pd.to_numeric(runs[column], errors="coerce").mean()) if column in runs and len(runs) else math.nan


def start_notes(trained: pd.DataFrame) -> list[str]:
    """Return which methods did not start from random weights, and from which, in one line; nothing where all did.

    Args:
        trained: from `madad.evaluation.results.collected.read_trainings`.
    """
    if "started_from" not in trained or (trained["started_from"].dropna() == SCRATCH).all():
        return []
    told = {text: list(dict.fromkeys(part["method"])) for text, part in trained.groupby("started_from", sort=False)}
    scratch = told.pop(SCRATCH, [])
    lines = [f"{', '.join(names)} from {text}" for text, names in told.items()]
    rest = f"; {', '.join(scratch)} from scratch" if scratch else ""
    return [
        f"Weights before the first step: {'; '.join(lines)}{rest}. Several seeds share them and differ in what they learn after."
    ]
