"""How true reconstructions are to healthy brains, and how untrue to lesions: the table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from madad.core.seeds import numpy_generator
from madad.evaluation.results.collected import BLOCK, block_title, read_metrics, select
from madad.evaluation.results.metric_table import BY_KEY
from madad.evaluation.statistics import method_order
from madad.evaluation.statistics.bootstrap import percentile_interval
from madad.evaluation.statistics.summary import read_summary
from madad.reporting.layout.table_writer import Cell, Column, Table, interval
from madad.reporting.tables.results import SUMMARY_NOTE, missing_notes, named, titled, write_all

SHOWN = ("l1", "psnr", "ssim", "l1_lesion", "l1_healthy_tissue")
RATIO = "Lesion over healthy tissue"
NOTES = (
    "Healthy l1, PSNR and SSIM: reconstructions of healthy test subjects, inside the brain. Nobody wins by them: the identity "
    "is perfect in all three and detects nothing.",
    "Lesion over healthy tissue: l1 in lesions over l1 in the healthy tissue of the same samples, means over subjects. Above 1, "
    "lesions are restored less faithfully than the tissue around them, which is what a residual detects. Percentile bootstrap.",
)


def write_fidelity(
    summary: Path, metrics: Path, bases: Mapping[str, str], resamples: int, csv: Path, tex: Path, html: Path
) -> None:
    """Write l1, PSNR and SSIM in healthy brains, and l1 in lesions against that in the tissue around them.

    Args:
        summary, metrics: see `madad.evaluation.statistics.summary` and `madad.evaluation.results.collected`.
        bases: card of each method's name.
        resamples: of the subjects, for the interval of the ratio.
    """
    lines, table = read_summary(summary), read_metrics(metrics)
    known = {(*line[:4], line.measure): line for line in lines[lines["measure"].isin(SHOWN)].itertuples(index=False)}
    groups, silent = [], {}
    ratios = _ratios(table, resamples)
    for block in method_order.blocks_in(table):
        rows = []
        for method in method_order.methods_in(table[method_order.inside(table, block)]):
            own = {key: known[(*block, method, key)] for key in SHOWN if (*block, method, key) in known}
            if own:
                rows.append(
                    [named(method, bases), *(_cell(own, key) for key in SHOWN), ratios.get((*block, method), _cell({}, ""))]
                )
            else:
                silent[method] = None
        if rows:
            groups.append((block_title(*block), rows))
    columns = [Column("Method", number=False), *(titled(key) for key in SHOWN), Column(RATIO, "ratio of the two columns before")]
    notes = [SUMMARY_NOTE, *NOTES, *([f"Without reconstructions: {', '.join(silent)}."] if silent else [])]
    notes += missing_notes(lines, SHOWN)
    write_all(Table("Fidelity of reconstructions", columns, groups, notes, group_title="Test set"), csv, tex, html)


def _cell(own: Mapping[str, tuple], key: str) -> Cell:
    if key not in own:
        return interval(np.nan, np.nan, np.nan)
    return interval(own[key].value, own[key].low, own[key].high, digits=BY_KEY[key].digits)


def _ratios(table: pd.DataFrame, resamples: int) -> dict[tuple, Cell]:
    """Ratio of the two errors of every block and method over subjects, whose samples and seeds are averaged first."""
    keys = [*BLOCK, "method", "subject"]
    pair = [
        select(table, metric, "reconstruction").groupby(keys)["value"].mean() for metric in ("l1_lesion", "l1_healthy_tissue")
    ]
    both = pd.concat(pair, axis=1, keys=["lesion", "tissue"]).dropna().reset_index()
    return {key: _ratio(key, own, resamples) for key, own in both.groupby([*BLOCK, "method"])}


def _ratio(key: tuple, own: pd.DataFrame, resamples: int) -> Cell:
    lesion, tissue = own["lesion"].to_numpy(), own["tissue"].to_numpy()
    if not tissue.sum() > 0:
        return interval(np.nan, np.nan, np.nan)

    def statistic(weights: np.ndarray) -> np.ndarray:
        below = weights @ tissue
        return np.divide(weights @ lesion, below, out=np.full(len(weights), np.nan), where=below > 0)

    generator = numpy_generator("fidelity", *key)
    drawn = percentile_interval(statistic, lesion.sum() / tissue.sum(), list(own["subject"]), resamples, generator)
    return interval(drawn.value, drawn.low, drawn.high)
