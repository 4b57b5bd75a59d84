"""Quality against cost: AUPRC over time, memory and weights, with the methods that no other beats in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from madad.evaluation.results.collected import block_title, read_trainings
from madad.evaluation.results.metric_table import AUPRC, PEAK_MEMORY_MB, SECONDS
from madad.evaluation.results.protocol_table import INFERENCE, PER_SUBJECT
from madad.evaluation.statistics import method_order
from madad.evaluation.statistics.summary import read_summary
from madad.reporting.layout import frames, style

QUALITY = AUPRC @ PER_SUBJECT
PARAMETERS = "parameters"
COSTS = {
    **{(metric @ INFERENCE).key: f"{metric.title} ({metric.unit})" for metric in (SECONDS, PEAK_MEMORY_MB)},
    PARAMETERS: "Number of weights",
}


def draw_frontier(summary: Path, trainings: Sequence[Path], png: Path, pdf: Path) -> None:
    """Draw AUPRC with its 95 % interval against seconds per volume, peak memory and number of weights; one row per test set.

    Methods on the Pareto front are filled and joined by a line, the others are hollow. Costs are on a logarithmic axis;
    what costs nothing, such as a method without weights, stands at its left end, called 0.

    Args:
        summary: see `madad.evaluation.statistics.summary`.
        trainings: the `train.json` of every run, which hold the number of weights.
    """
    lines, trained = read_summary(summary), read_trainings(trainings)
    rated = lines[(lines["measure"] == QUALITY.key) & lines["value"].notna()]
    if rated.empty:
        style.save(style.empty("No evaluation of a test set with lesions yet"), png, pdf, numbers=True)
        return
    blocks = {block: own.set_index("method") for block, own in frames.blocks(rated).items()}
    order = [*dict.fromkeys(trained["method"]), *rated["method"]]  # of the configuration
    methods = [method for method in dict.fromkeys(order) if method in set(rated["method"])]
    size = (style.PAGE, 2.3 * len(blocks) + 0.3)
    figure, grid = plt.subplots(len(blocks), len(COSTS), figsize=size, squeeze=False, sharey="row", sharex="col")
    for column, (key, title) in zip(grid.T, COSTS.items(), strict=True):
        costs = {block: _cost(lines, trained, block, key).reindex(own.index) for block, own in blocks.items()}
        nothing = _cost_axis(column[-1], pd.concat(costs.values()))
        column[-1].set_xlabel(title)
        for axes, (block, own) in zip(column, blocks.items(), strict=True):
            _panel(axes, own.assign(cost=costs[block]).dropna(subset="cost"), methods, nothing)
    for axes, (block, own) in zip(grid[:, 0], blocks.items(), strict=True):
        people = method_order.in_words(int(own["subjects"].max()), int(own["subjects"].max()))
        axes.set_title(f"{block_title(*block)} ({people})", fontweight="bold", fontsize=9.5)
        axes.set(ylabel=QUALITY.title, ylim=(0, style.upper_limit([*own["high"], *own["value"]])))
    style.legend_below(figure, [*style.handles(methods, line=False), *_meanings()])
    style.save(figure, png, pdf, numbers=True)


def pareto(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the names that no other is at least as cheap and as good as, and better in one of the two; cheapest first.

    Args:
        points: cost and quality of each; the lower the one and the higher the other, the better. NaN takes no part.
    """
    known = {name: point for name, point in points.items() if np.isfinite(point).all()}

    def beaten(cost: float, quality: float) -> bool:
        return any(c <= cost and q >= quality and (c, q) != (cost, quality) for c, q in known.values())

    return sorted((name for name, point in known.items() if not beaten(*point)), key=lambda name: (known[name], name))


def _cost(lines: pd.DataFrame, trained: pd.DataFrame, block: tuple, key: str) -> pd.Series:
    """Return the cost of every method of a block."""
    if key == PARAMETERS:
        own = trained[(trained[["cohort", "modality"]] == list(block[:2])).all(axis=1)]
        return own.groupby("method")["parameter_count"].mean() if "parameter_count" in own else pd.Series(dtype=float)
    own = lines[method_order.inside(lines, block) & (lines["measure"] == key)]
    return own.set_index("method")["value"]


def _panel(axes: plt.Axes, points: pd.DataFrame, methods: list[str], nothing: float) -> None:
    """Draw the points of one test set; `nothing` is where no cost is drawn."""
    colour, marker = style.colours(methods), style.markers(methods)
    lines = {str(method): line for method, line in points.iterrows()}
    front = pareto({method: (line["cost"], line["value"]) for method, line in lines.items()})
    for method, line in lines.items():
        x = line["cost"] or nothing
        axes.plot([x, x], [line["low"], line["high"]], color=colour[method], lw=1.1, alpha=0.55, zorder=2)
        face = colour[method] if method in front else "white"
        axes.plot(x, line["value"], marker[method], color=colour[method], mfc=face, ms=6, mew=1.3, zorder=3, clip_on=False)
    best = points.loc[front]
    axes.plot(best["cost"].replace(0, nothing), best["value"], color=style.GREY, lw=1, drawstyle="steps-post", zorder=1)
    if points.empty:
        style.say(axes, "not recorded")


def _cost_axis(axes: plt.Axes, costs: pd.Series) -> float:
    """Make a logarithmic axis with readable ticks. Returns where no cost is to be drawn, below the smallest cost."""
    above, free = costs[costs > 0], bool((costs == 0).any())
    low, high = (above.min(), above.max()) if len(above) else (1.0, 1.0)
    nothing = low / max(3.0, (high / low) ** 0.15)
    room = 1.6 if high > 3 * low else 2.3  # a factor of 5 holds two ticks whatever it begins with
    axes.set(xscale="log", xlim=((nothing if free else low) / room, high * room))
    ticks = _ticks(low / room, high * room) if len(above) else []
    if free:
        ticks = [nothing, *(tick for tick in ticks if tick > 1.4 * nothing)]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: "0" if free and value == nothing else _short(value)))
    return nothing


def _ticks(low: float, high: float) -> list[float]:
    """Return the powers of ten between the limits, or 1, 2 and 5 times these where there are few."""
    decades = [10.0**power for power in range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)]
    fine = [factor * decade for decade in decades for factor in (1, 2, 5) if low <= factor * decade <= high]
    coarse = [decade for decade in decades if low <= decade <= high]
    return coarse if len(coarse) > 2 else fine


def _short(value: float) -> str:
    """Return a number as 500 k or 1 M, or as it is."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if letter == 'k' else size):g} {letter}"
    return f"{value:g}"


def _meanings() -> list[Line2D]:
    plain: style.Style = {"marker": "o", "linestyle": "none", "color": style.GREY, "ms": 5.5, "mew": 1.3}
    joined: style.Style = {**plain, "linestyle": "solid", "lw": 1}
    return [
        Line2D([], [], **joined, label="Pareto front"),
        Line2D([], [], **plain, mfc="white", label="beaten"),
    ]
