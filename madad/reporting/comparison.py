"""Figures that compare methods: detection with intervals, quality against cost."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MultipleLocator, NullFormatter

from madad.reporting import style
from madad.reporting.collect import BLOCK, block_title, read_metrics, select
from madad.reporting.landing import write_drawing
from madad.reporting.measures import BY_KEY, Measure
from madad.reporting.summary import read_summary

SHOWN = ("auprc", "auroc", "dice_oracle", "dice_validation")


def draw_comparison(summary: Path, metrics: Path, png: Path, pdf: Path, fragment: Path) -> None:
    """One row of panels a test set: mean with 95 % interval of every method, its subjects as dots behind.

    Args:
        summary, metrics: see `madad.reporting.summary` and `madad.reporting.collect`.
        fragment: the drawing as HTML, which the report's first page shows inline.
    """
    lines, table = read_summary(summary), read_metrics(metrics)
    blocks = list(lines.groupby(list(BLOCK), sort=False))
    figure = _comparison(blocks, table) if blocks else style.empty("No evaluation yet")
    write_drawing(style.as_svg(figure), fragment)
    style.save(figure, png, pdf)


def _comparison(blocks: list[tuple[tuple, pd.DataFrame]], table: pd.DataFrame) -> plt.Figure:
    methods = int(max(part["method"].nunique() for _, part in blocks))
    size = (2.35 * len(SHOWN) + 0.9, (0.36 * methods + 0.95) * len(blocks))
    figure, grid = plt.subplots(len(blocks), len(SHOWN), figsize=size, squeeze=False, sharey="row")
    for row, (block, part) in zip(grid, blocks, strict=True):
        for axes, key in zip(row, SHOWN, strict=True):
            _panel(axes, BY_KEY[key], part, _subjects(table, block, BY_KEY[key]))
        row[0].annotate(block_title(*block), (0, 1), (-48, 20), "axes fraction", textcoords="offset points", fontweight="bold")
    return figure


def _subjects(table: pd.DataFrame, block: tuple, measure: Measure) -> pd.DataFrame:
    chosen = select(table, measure.metric, measure.protocol)
    inside = (chosen[list(BLOCK)] == list(block)).all(axis=1)
    return chosen[inside].groupby(["method", "sample"], as_index=False)["value"].mean()


def _panel(axes: plt.Axes, measure: Measure, part: pd.DataFrame, subjects: pd.DataFrame) -> None:
    methods = list(dict.fromkeys(part["method"]))
    colour = style.colours(methods)
    own = part[part["measure"] == measure.key].set_index("method")
    for place, method in enumerate(methods):
        dots = subjects.loc[subjects["method"] == method, "value"].dropna().to_numpy()
        # The height of a dot means nothing; a fixed comb keeps equal values apart.
        height = place + 0.24 * np.sin(np.arange(dots.size) * 2.4)
        axes.scatter(dots, height, s=7, color=colour[method], alpha=0.3, linewidths=0)
        if method in own.index and np.isfinite(own.loc[method, "value"]):
            value, low, high = own.loc[method, ["value", "low", "high"]].astype(float)
            error = [[value - low], [high - value]] if np.isfinite(low) and np.isfinite(high) else None
            axes.errorbar(
                value, place, xerr=error, fmt="o", ms=5.5, color=colour[method], capsize=3, elinewidth=1.6, mec="white", mew=0.7
            )
    axes.set(
        title=measure.title, yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5), xlim=(-0.03, 1.03)
    )
    if measure.key == "auroc":
        axes.set_xlim(min(0.47, float(subjects["value"].min()) - 0.03) if len(subjects) else 0.47, 1.02)
    axes.xaxis.set_major_locator(MultipleLocator(0.25 if axes.get_xlim()[0] < 0.4 else 0.1))
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)


def draw_cost(summary: Path, png: Path, pdf: Path) -> None:
    """AUPRC against seconds a volume, a panel a test set, with 95 % intervals of the AUPRC."""
    lines = read_summary(summary)
    blocks = list(lines.groupby(list(BLOCK), sort=False))
    if not blocks:
        style.save(style.empty("No evaluation yet"), png, pdf)
        return
    columns = min(3, len(blocks))
    rows = -(-len(blocks) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(3.3 * columns + 0.6, 2.7 * rows), squeeze=False)
    methods = list(dict.fromkeys(lines["method"]))
    for axes, (block, part) in zip(grid.flat, blocks, strict=False):
        _cost_panel(axes, part, methods)
        axes.set(title=block_title(*block), xlabel="Time (s/volume)", ylabel="AUPRC")
    for axes in grid.flat[len(blocks) :]:
        axes.axis("off")
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper")
    style.save(figure, png, pdf)


def _cost_panel(axes: plt.Axes, part: pd.DataFrame, methods: list[str]) -> None:
    colour, marker = style.colours(methods), style.markers(methods)
    wide = part.pivot(index="method", columns="measure", values=["value", "low", "high"])
    for method in methods:
        if method not in wide.index or ("value", "seconds") not in wide or ("value", "auprc") not in wide:
            continue
        seconds, value, low, high = (
            float(wide.loc[method, key]) for key in (("value", "seconds"), *((k, "auprc") for k in ("value", "low", "high")))
        )
        error = [[value - low], [high - value]] if np.isfinite(low) and np.isfinite(high) else None
        axes.errorbar(
            max(seconds, 1e-3),
            value,
            yerr=error,
            fmt=marker[method],
            color=colour[method],
            ms=6,
            capsize=3,
            mec="white",
            mew=0.7,
            label=method,
        )
    axes.set(xscale="log", ylim=(0, 1.03))
    times = [max(time, 1e-3) for time in part.loc[part["measure"] == "seconds", "value"].dropna()] or [1.0]
    axes.set_xlim(10 ** np.floor(np.log10(min(times) / 1.5)), 10 ** np.ceil(np.log10(max(times) * 1.5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
