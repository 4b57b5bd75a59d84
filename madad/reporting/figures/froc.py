"""The free-response curve: the share of lesions found over the number of false positives per scan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from madad.evaluation.protocol.froc import sensitivity_at
from madad.evaluation.results.collected import read_metrics, select
from madad.evaluation.results.metric_table import FROC_FALSE_POSITIVES, FROC_SENSITIVITY
from madad.evaluation.results.protocol_table import FALSE_POSITIVES
from madad.reporting.figures.curves import draw_curves
from madad.reporting.layout import style

RANGE = (0.125, 16.0)


def draw_froc(metrics: Path, png: Path, pdf: Path) -> None:
    """Draw the share of lesions found against false positives per scan, a panel per test set, a line per method."""
    table = read_metrics(metrics)
    points = pd.concat([select(table, FROC_FALSE_POSITIVES), select(table, FROC_SENSITIVITY)])
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
        look: style.Style = {"color": colour[method], "ls": dash[method], "lw": 1.3}
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


def _curve(own: pd.DataFrame, numbers: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the mean over seeds of the sensitivity at each number of false positives per scan."""
    wide = own.pivot(index="protocol", columns=["seed", "metric"], values="value").sort_index()
    seeds = [wide[seed] for seed in wide.columns.unique("seed")]
    pairs = [(one[FROC_FALSE_POSITIVES.name].to_numpy(), one[FROC_SENSITIVITY.name].to_numpy()) for one in seeds]
    return np.mean([[sensitivity_at(number, *pair) for number in numbers] for pair in pairs], axis=0)
