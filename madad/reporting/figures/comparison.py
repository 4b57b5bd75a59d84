"""The main figure: detection by every method on every test set, with intervals and single subjects."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from madad.evaluation.results.collected import BLOCK, read_metrics, select
from madad.evaluation.results.metric import Measure
from madad.evaluation.results.metric_table import AUPRC, AUROC, DICE, PREVALENCE
from madad.evaluation.results.protocol_table import ORACLE_TEST, PER_SUBJECT, VALIDATION
from madad.evaluation.statistics import method_order
from madad.evaluation.statistics.summary import read_summary
from madad.reporting.layout import style
from madad.reporting.layout.first_page import write_drawing

SHOWN = (AUPRC @ PER_SUBJECT, AUROC @ PER_SUBJECT, DICE @ ORACLE_TEST, DICE @ VALIDATION)
CHANCE = 0.5  # AUROC of a coin
# Beyond so many dots they are drawn as one picture, or the first page of the report would grow by megabytes.
MOST_DOTS = 4000


def draw_comparison(summary: Path, metrics: Path, png: Path, pdf: Path, fragment: Path) -> None:
    """Draw one row of panels per test set: mean with 95 % interval of every method, its subjects as dots behind.

    Methods follow the order of the long table, which is that of the configuration.

    Args:
        summary, metrics: see `madad.evaluation.statistics.summary` and `madad.evaluation.results.collected`.
        fragment: the drawing as HTML, which the report's first page shows inline.
    """
    lines, table = read_summary(summary), read_metrics(metrics)
    lines = lines[lines["measure"].isin([measure.key for measure in SHOWN])]
    figure = _comparison(lines, table) if len(lines) else style.empty("No evaluation yet")
    write_drawing(style.as_svg(figure), fragment)
    style.save(figure, png, pdf)


def _comparison(lines: pd.DataFrame, table: pd.DataFrame) -> plt.Figure:
    methods = method_order.methods_in(table)
    shown = {block: set(part["method"]) for block, part in lines.groupby(list(BLOCK))}
    blocks = {block: [m for m in methods if m in shown[block]] for block in method_order.blocks_in(table) if block in shown}
    titles = method_order.titles(blocks, table)
    dots = {measure: _subjects(table, measure) for measure in SHOWN}
    prevalence = select(table, PREVALENCE, PER_SUBJECT).groupby(list(BLOCK))["value"].mean()
    colour = style.colours(methods)
    many = sum(map(len, dots.values())) > MOST_DOTS
    heights = [0.26 * len(own) + 0.85 for own in blocks.values()]
    figure = plt.figure(figsize=(style.PAGE - 1 + 0.07 * max(map(len, methods)), sum(heights)))
    bands = figure.subfigures(len(blocks), 1, height_ratios=heights, squeeze=False)[:, 0]
    for band, (block, own) in zip(bands, blocks.items(), strict=True):
        band.suptitle(titles[block], x=0.01, ha="left", fontsize=9.5, fontweight="bold")
        means = lines[method_order.inside(lines, block)]
        for axes, measure in zip(band.subplots(1, len(SHOWN), sharey=True), SHOWN, strict=True):
            values = dots[measure][method_order.inside(dots[measure], block)]
            _panel(axes, measure, [(method, colour[method]) for method in own], means, values, many)
            chance = {AUROC: CHANCE, AUPRC: prevalence.get(block, np.nan)}.get(measure.metric, np.nan)
            if np.isfinite(chance):
                axes.axvline(chance, color=style.GREY, lw=1, ls=(0, (3, 2)), zorder=0.5)
    return figure


def _subjects(table: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    chosen = select(table, measure.metric, measure.protocol)
    return chosen.groupby([*BLOCK, "method", "sample"], as_index=False)["value"].mean().dropna()


def _panel(
    axes: plt.Axes, measure: Measure, looks: list[tuple[str, str]], means: pd.DataFrame, values: pd.DataFrame, many: bool
) -> None:
    own = means[means["measure"] == measure.key].set_index("method")
    for place, (method, colour) in enumerate(looks):
        dots = values.loc[values["method"] == method, "value"].to_numpy()
        # The height of a dot means nothing; a fixed comb keeps equal values apart.
        height = place + 0.26 * np.sin(np.arange(dots.size) * 2.4)
        axes.scatter(dots, height, s=7, color=colour, alpha=0.3, linewidths=0, rasterized=many)
        if method in own.index and np.isfinite(own.loc[method, "value"]):
            value, low, high = own.loc[method, ["value", "low", "high"]].astype(float)
            error = [[value - low], [high - value]] if np.isfinite(low) and np.isfinite(high) else None
            look: style.Style = {"fmt": "o", "ms": 5, "capsize": 2.5, "elinewidth": 1.5, "mec": "white", "mew": 0.7}
            axes.errorbar(value, place, xerr=error, color=colour, **look)
    if not np.isfinite(own["value"]).any():
        style.say(axes, "no threshold\nunder this protocol" if measure.metric == DICE else "not defined here")
    axes.set(title=measure.title, yticks=range(len(looks)), yticklabels=[method for method, _ in looks])
    axes.set_ylim(len(looks) - 0.5, -0.5)
    axes.set_xlim(_limits(measure, pd.concat([values["value"], own["high"], own["value"]])))
    axes.xaxis.set_major_locator(MaxNLocator(6 if axes.get_xlim()[1] > 0.1 else 3, steps=[1, 2, 5, 10]))  # longer labels
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)


def _limits(measure: Measure, values: pd.Series) -> tuple[float, float]:
    """Return the limits of an axis: shares begin at 0 and end at a round number above the highest, AUROC begins at chance."""
    if measure.metric == AUROC:
        lowest = min([CHANCE, *values.dropna()])
        return lowest - 0.03 * (1 - lowest), 1.02
    upper = style.upper_limit(values)
    return -0.02 * upper, upper
