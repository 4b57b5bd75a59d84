"""Lesions as objects: the free-response curve, and a table of what is found, what is raised and how well surfaces meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from madad.evaluation.froc import FALSE_POSITIVES, sensitivity_at
from madad.reporting import style
from madad.reporting.collect import read_metrics, select
from madad.reporting.curves import draw_curves
from madad.reporting.measures import LESION_WISE
from madad.reporting.results_tables import (
    BOLD_NOTE,
    SUMMARY_NOTE,
    by_block,
    measured,
    missing_notes,
    named,
    titled,
    write_all,
)
from madad.reporting.summary import read_summary
from madad.reporting.tables import Cell, Column

KEYS = tuple(measure.key for measure in LESION_WISE)
RANGE = (0.125, 16.0)
NOTES = (
    "Lesions are 26-connected components of the reference of at least 3 voxels. One is found when a tenth of it is predicted; "
    "by IoU when it shares a tenth of the union with the components that touch it. A component that touches no lesion is a "
    "false positive (FP). One component over the whole brain finds every lesion: F1 therefore takes the sensitivity by IoU.",
    "Threshold with the best pooled Dice on validation subjects with lesions; FROC: that with so many false positives a scan, "
    "over all test scans and all lesions of the test set together.",
)


def draw_froc(metrics: Path, png: Path, pdf: Path) -> None:
    """Share of lesions found over false positives a scan, a panel a test set, a line a method (mean over seeds)."""
    table = read_metrics(metrics)
    points = pd.concat([select(table, "froc_false_positives"), select(table, "froc_sensitivity")])
    labels = {"xlabel": "False positives/scan", "ylabel": "Lesions found"}
    draw_curves(table, points.dropna(subset="value"), _panel, labels, png, pdf)


def _panel(axes: plt.Axes, part: pd.DataFrame, methods: Sequence[str]) -> None:
    colour, marker, dash = style.colours(methods), style.markers(methods), style.dashes(methods)
    line = np.geomspace(*RANGE, 99)
    highest = 0.0
    for method in methods:
        own = part[part["method"] == method]
        if own.empty:
            continue
        look = {"color": colour[method], "ls": dash[method], "lw": 1.3}
        axes.plot(line, _curve(own, line), **look)
        marks = _curve(own, FALSE_POSITIVES)
        axes.plot(FALSE_POSITIVES, marks, marker[method], color=colour[method], ms=4, mew=0, clip_on=False, zorder=3)
        highest = max(highest, *_curve(own, line[-1:]))
    axes.set_xscale("log")
    if not highest:
        style.say(axes, f"no lesion found at\n{RANGE[1]:g} false positives a scan")
    axes.set(xlim=RANGE, ylim=(0, style.upper_limit([max(highest, 0.05)])))
    axes.xaxis.set_major_locator(FixedLocator(FALSE_POSITIVES))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _curve(own: pd.DataFrame, numbers: Sequence[float]) -> np.ndarray:
    """Mean over seeds of the sensitivity at each number of false positives a scan."""
    wide = own.pivot(index="protocol", columns=["seed", "metric"], values="value").sort_index()
    seeds = [wide[seed] for seed in wide.columns.unique("seed")]
    pairs = [(one["froc_false_positives"].to_numpy(), one["froc_sensitivity"].to_numpy()) for one in seeds]
    return np.mean([[sensitivity_at(number, *pair) for number in numbers] for pair in pairs], axis=0)


def write_lesions(summary: Path, bases: Mapping[str, str], csv: Path, tex: Path, html: Path) -> None:
    """Write lesion-wise detection, the curve at given numbers of false positives, surfaces and volume.

    Args:
        summary: see `madad.reporting.summary`.
        bases: card of each method's name.
    """
    columns = [Column("Method", number=False), *(titled(key) for key in KEYS)]
    lines = read_summary(summary)

    def row(method: str, own: pd.DataFrame) -> list[Cell]:
        return [named(method, bases), *(measured(own, key) for key in KEYS)]

    # What has no threshold has none of the others either.
    notes = [*NOTES, SUMMARY_NOTE, BOLD_NOTE, *missing_notes(lines, ("lesion_sensitivity", "lesion_f1"))]
    write_all(by_block("Lesions as objects", columns, lines, row, notes, bases), csv, tex, html)
