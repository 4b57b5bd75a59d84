"""The free-response curve: the share of lesions found over the number of false positives per scan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from madad.evaluation.results.collected import BLOCK, read_metrics, select
from madad.evaluation.results.metric_table import FROC_SENSITIVITY
from madad.evaluation.results.protocol_table import FALSE_POSITIVES, FROC_DRAWN, FROC_POINT
from madad.evaluation.statistics.intervals import over_trainings
from madad.reporting.figures.curves import draw_curves
from madad.reporting.layout import style

OWN = (*BLOCK, "method", "seed")
BAND = 0.15  # opacity
VALUE, LOW, HIGH = (one.name for one in (FROC_SENSITIVITY, FROC_SENSITIVITY.bound("low"), FROC_SENSITIVITY.bound("high")))


def draw_froc(metrics: Path, png: Path, pdf: Path) -> None:
    """Draw the share of lesions found against false positives per scan, a panel per test set, a line per method.

    A line is the mean over seeds; around it a band of the 95 % intervals at each number of false positives.
    """
    table = read_metrics(metrics)
    points = pd.concat([select(table, metric) for metric in (FROC_SENSITIVITY, *map(FROC_SENSITIVITY.bound, ("low", "high")))])
    points = points.assign(number=points["protocol"].str.removeprefix(FROC_POINT).astype(float))
    known = points[points["metric"] == VALUE].dropna(subset="value")
    shown = pd.concat([known, points[points["metric"] != VALUE].merge(known[[*OWN, "number"]])])
    labels = {"xlabel": "False positives/scan", "ylabel": "Lesions found"}
    band = Patch(color=style.GREY, alpha=BAND, lw=0, label="95 % interval")
    draw_curves(table, shown, _panel, labels, png, pdf, *([band] if shown["metric"].eq(LOW).any() else []))


def _panel(axes: plt.Axes, part: pd.DataFrame, methods: Sequence[str]) -> None:
    colour, marker, dash = style.colours(methods), style.markers(methods), style.dashes(methods)
    highest = 0.0
    for method in methods:
        own = part[part["method"] == method]
        if own.empty:
            continue
        curve = _curve(own)
        look: style.Style = {"color": colour[method], "ls": dash[method], "lw": 1.3}
        axes.plot(curve.index, curve[VALUE], **look)
        axes.fill_between(curve.index, curve[LOW], curve[HIGH], color=colour[method], alpha=BAND, lw=0)
        marks = np.interp(FALSE_POSITIVES, curve.index, curve[VALUE])
        axes.plot(FALSE_POSITIVES, marks, marker[method], color=colour[method], ms=4, mew=0, clip_on=False, zorder=3)
        highest = max(highest, curve[VALUE].iloc[-1], curve[HIGH].fillna(0).iloc[-1])
    axes.set_xscale("log")
    if not part.loc[part["metric"] == VALUE, "value"].any():
        style.say(axes, f"no lesion found at\n{FROC_DRAWN[-1]:g} false positives a scan")
    axes.set(xlim=(FROC_DRAWN[0], FROC_DRAWN[-1]), ylim=(0, style.upper_limit([max(highest, 0.05)])))
    axes.xaxis.set_major_locator(FixedLocator(FALSE_POSITIVES))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _curve(own: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over seeds with its bounds by the number of false positives per scan."""
    wide = own.pivot(index="number", columns=["metric", "seed"], values="value").sort_index()
    seeds = wide[VALUE].columns
    low, high = (wide[bound].reindex(columns=seeds) if bound in wide else wide[VALUE] * np.nan for bound in (LOW, HIGH))
    lines = zip(wide[VALUE].to_numpy(), low.to_numpy(), high.to_numpy(), strict=True)
    ends = [over_trainings(*line, FROC_SENSITIVITY.scale) for line in lines]
    return pd.DataFrame(ends, index=wide.index, columns=pd.Index([LOW, HIGH])).assign(**{VALUE: wide[VALUE].mean(axis=1)})
