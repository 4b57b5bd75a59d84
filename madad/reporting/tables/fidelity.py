"""How true reconstructions are to healthy brains, and how untrue to lesions: the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from madad.evaluation.results.collected import BLOCK, read_metrics, select
from madad.evaluation.results.metric import Measure
from madad.evaluation.results.metric_table import FLAGGED_SHARE, L1, L1_HEALTHY_TISSUE, L1_LESION, PSNR, SSIM
from madad.evaluation.results.protocol_table import FLAGGED_HEALTHY, FLAGGED_PATIENTS, HEALTHY_BRAIN, RECONSTRUCTION
from madad.evaluation.statistics import method_order
from madad.evaluation.statistics.intervals import jackknife_interval
from madad.evaluation.statistics.summary import read_summary
from madad.reporting.layout import frames
from madad.reporting.layout.table_writer import Cell, Column, Table, interval
from madad.reporting.tables.notes import SUMMARY_NOTE, head, missing_notes
from madad.reporting.tables.results import named, titled, write_all

IN_LESIONS = (L1_LESION, L1_HEALTHY_TISSUE)
SHOWN = (*(metric @ HEALTHY_BRAIN for metric in (L1, PSNR, SSIM)), *(metric @ RECONSTRUCTION for metric in IN_LESIONS))
# Of methods that decide what is abnormal before they restore it; columns of a run with such a method.
FLAGGED = (FLAGGED_SHARE @ FLAGGED_HEALTHY, FLAGGED_SHARE @ FLAGGED_PATIENTS)
FLAGGED_NOTE = (
    "Flagged share: of the brain that the method takes for abnormal and changes. Where it is 0 nothing is restored; where it is "
    "no higher in patients than in healthy scans, it is not lesions that are flagged."
)
NO_RATIO = interval(np.nan, np.nan, np.nan)
RATIO = "Lesion over healthy tissue"
NOTES = (
    "Healthy l1, PSNR and SSIM: reconstructions of healthy test subjects, inside the brain. Nobody wins by them: the identity "
    "is perfect in all three and detects nothing.",
    "Lesion over healthy tissue: l1 in lesions over l1 in the healthy tissue of the same samples, means over subjects. Above 1, "
    "lesions are restored less faithfully than the tissue around them, which is what a residual detects. "
    "Interval: jackknife over subjects on a log scale.",
)


def write_fidelity(summary: Path, metrics: Path, bases: Mapping[str, str], csv: Path, tex: Path, html: Path) -> None:
    """Write l1, PSNR and SSIM in healthy brains, and l1 in lesions against that in the tissue around them.

    Args:
        summary, metrics: see `madad.evaluation.statistics.summary` and `madad.evaluation.results.collected`.
        bases: card of each method's name.
    """
    lines, table = read_summary(summary), read_metrics(metrics)
    flagged = [measure for measure in FLAGGED if (lines["measure"] == measure.key).any()]
    groups, silent = _groups(lines, table, flagged, bases)
    columns = [
        Column("Method", number=False),
        *(titled(measure) for measure in SHOWN),
        Column(RATIO, "ratio of the two columns before"),
        *(titled(measure) for measure in flagged),
    ]
    notes = [SUMMARY_NOTE, *NOTES, *([FLAGGED_NOTE] if flagged else [])]
    notes += [f"Without reconstructions: {', '.join(silent)}."] if silent else []
    notes += missing_notes(lines, SHOWN)
    write_all(Table("Fidelity of reconstructions", columns, groups, notes, group_title="Test set"), csv, tex, html)


def _groups(
    lines: pd.DataFrame, table: pd.DataFrame, flagged: Sequence[Measure], bases: Mapping[str, str]
) -> tuple[list[tuple[str, list]], list[str]]:
    """Return the rows of every test set below its head, and the methods that have none."""
    keys = [measure.key for measure in (*SHOWN, *flagged)]
    known = {(*line[:4], line.measure): line for line in frames.rows(lines[lines["measure"].isin(keys)])}
    groups, silent, ratios = [], {}, _ratios(table)
    for block in method_order.blocks_in(table):
        rows = []
        for method in method_order.methods_in(table[method_order.inside(table, block)]):
            own = {key: known[(*block, method, key)] for key in keys if (*block, method, key) in known}
            if own:
                errors, shares = ([_cell(own, measure) for measure in shown] for shown in (SHOWN, flagged))
                rows.append([named(method, bases), *errors, ratios.get((*block, method), NO_RATIO), *shares])
            else:
                silent[method] = None
        if rows:
            groups.append((head(block, lines[method_order.inside(lines, block)]), rows))
    return groups, list(silent)


def _cell(own: Mapping[str, frames.Row], measure: Measure) -> Cell:
    if measure.key not in own:
        return interval(np.nan, np.nan, np.nan)
    line = own[measure.key]
    return interval(line.value, line.low, line.high, digits=measure.metric.digits)


def _ratios(table: pd.DataFrame) -> dict[tuple, Cell]:
    """Return the ratio of the two errors of every block and method over subjects, whose samples and seeds are averaged first."""
    keys = [*BLOCK, "method", "subject"]
    pair = [select(table, metric, RECONSTRUCTION).groupby(keys)["value"].mean() for metric in IN_LESIONS]
    both = pd.concat(pair, axis=1, keys=["lesion", "tissue"]).dropna().reset_index()
    return {key: _ratio(own) for key, own in frames.groups(both, [*BLOCK, "method"])}


def _ratio(own: pd.DataFrame) -> Cell:
    lesion, tissue = own["lesion"].to_numpy(), own["tissue"].to_numpy()
    if not tissue.sum() > 0:
        return interval(np.nan, np.nan, np.nan)

    def statistic(weights: np.ndarray) -> np.ndarray:
        below = weights @ tissue
        return np.divide(weights @ lesion, below, out=np.full(len(weights), np.nan), where=below > 0)

    drawn = jackknife_interval(statistic, list(own["subject"]), "positive")
    return interval(drawn.value, drawn.low, drawn.high)
