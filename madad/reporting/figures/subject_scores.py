"""Which subjects have a lesion at all? A figure of one score per subject, healthy ones against those with a lesion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from madad.evaluation.protocol.inputs import HEALTHY, UNKNOWN
from madad.evaluation.results.collected import BLOCK, block_title, read_metrics, select
from madad.evaluation.results.metric_table import SUBJECT_AUROC, SUBJECT_SCORE
from madad.evaluation.results.protocol_table import MEAN, P99, VOLUME
from madad.evaluation.statistics import method_order
from madad.reporting.figures.curves import first_seed
from madad.reporting.layout import frames, style
from madad.reporting.tables.subjects import REDUCTIONS

DRAWN = tuple(protocol.name for protocol in (MEAN, P99, VOLUME))  # reductions that the figure has room for
LINEAR = 3  # standard deviations up to which the axis is linear


def draw_subject_scores(metrics: Path, png: Path, pdf: Path) -> None:
    """Draw the scores of healthy subjects and of those with lesions, in standard deviations of the healthy ones (first seed).

    Scores of methods have no common unit; measured by the spread of healthy subjects they fit one axis. A row of panels is a
    test set, a panel a way of making one number of a map; beside every method stands its AUROC.
    """
    table = read_metrics(metrics)
    scores = first_seed(select(table, SUBJECT_SCORE))
    scores = scores[scores["protocol"].isin(DRAWN)].dropna(subset="value")
    if scores.empty:
        style.save(style.empty("No test subject"), png, pdf, numbers=True)
        return
    methods, aurocs = method_order.methods_in(table), _aurocs(first_seed(select(table, SUBJECT_AUROC)))
    parts = {block: scores[method_order.inside(scores, block)] for block in method_order.blocks_in(table)}
    parts = {block: part for block, part in parts.items() if len(part)}
    healthy = method_order.healthy(table)
    heights = [0.85 + (0.3 * part["method"].nunique() if healthy.get(block) else 0.3) for block, part in parts.items()]
    figure = plt.figure(figsize=(style.PAGE + 0.03 * max(map(len, methods)), sum(heights) + 0.1))
    bands = figure.subfigures(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0]
    for band, (block, part) in zip(bands, parts.items(), strict=True):
        _band(band, block, part, [method for method in methods if method in set(part["method"])], aurocs)
    kinds = [("healthy", style.HEALTHY), ("with a lesion", style.LESION)]
    kinds += [("unknown group", style.GREY)] if (scores["group"] == UNKNOWN).any() else []
    entries = [Line2D([], [], marker="o", ls="none", ms=4, color=colour, label=label) for label, colour in kinds]
    style.legend_below(figure, [*entries, Line2D([], [], marker="|", ls="none", ms=9, mew=1.6, color=style.GREY, label="median")])
    style.save(figure, png, pdf, numbers=True)


def _aurocs(table: pd.DataFrame) -> dict[tuple, float]:
    return {key: float(own["value"].iloc[0]) for key, own in frames.groups(table, [*BLOCK, "method", "protocol"])}


def _band(band: plt.Figure, block: tuple, part: pd.DataFrame, methods: list[str], aurocs: Mapping[tuple, float]) -> None:
    """Draw the panels of one test set."""
    groups = part.drop_duplicates("sample")["group"]
    numbers = {"healthy": int((groups == HEALTHY).sum()), "lesion": int((~groups.isin((HEALTHY, UNKNOWN))).sum())}
    unknown = f", {number} of unknown group" if (number := int((groups == UNKNOWN).sum())) else ""
    band.suptitle(
        f"{block_title(*block)} (n = {numbers['healthy']} healthy, {numbers['lesion']} with a lesion{unknown})",
        x=0.01,
        ha="left",
        fontsize=9.5,
        fontweight="bold",
    )
    if not all(numbers.values()):
        lonely = band.subplots()
        lonely.axis("off")
        style.say(lonely, f"no {'healthy subject' if not numbers['healthy'] else 'subject with a lesion'} to compare with")
        return
    reductions = [reduction for reduction in DRAWN if (part["protocol"] == reduction).any()]
    for axes, reduction in zip(band.subplots(1, len(reductions), squeeze=False, sharey=True)[0], reductions, strict=True):
        own = part[part["protocol"] == reduction]
        axes.set_title(REDUCTIONS[reduction].capitalize(), fontsize=7.5)
        axes.set(yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5))
        axes.tick_params(axis="y", length=0)
        axes.grid(False, axis="y")
        drawn = [_row(axes, place, own[own["method"] == method]) for place, method in enumerate(methods)]
        _scale(axes, np.concatenate(drawn))
        axes.text(1.02, 1.02, "AUROC", transform=axes.transAxes, fontsize=7, va="bottom")
        for place, method in enumerate(methods):
            value = aurocs.get((*block, method, reduction), np.nan)
            shown = f"{value:.2f}" if np.isfinite(value) else "–"
            axes.annotate(shown, (1.02, place), xycoords=("axes fraction", "data"), fontsize=8, va="center")


def _row(axes: plt.Axes, place: int, own: pd.DataFrame) -> np.ndarray:
    """Draw the dots of one method and return its standardised scores, none where the healthy ones do not differ."""
    healthy, unknown = ((own["group"] == group).to_numpy() for group in (HEALTHY, UNKNOWN))
    scores = own["value"].to_numpy()
    spread = scores[healthy].std(ddof=1) if healthy.sum() > 1 else 0.0
    if not spread > 0:
        why = "healthy scores do not differ" if healthy.sum() > 1 else "one healthy subject has no spread"
        axes.text(0, place, why, ha="center", va="center", fontsize=7.5, color=style.GREY)
        return np.empty(0)
    standard = (scores - scores[healthy].mean()) / spread
    sick, shown = ~healthy & ~unknown, [(healthy, style.HEALTHY, -0.2)]
    shown += [(sick, style.LESION, 0.2), *([(unknown, style.GREY, 0.0)] if unknown.any() else [])]
    for chosen, colour, shift in shown:
        # Jitter from a fixed comb instead of random numbers: the same bytes every time.
        height = place + shift + 0.12 * np.sin(np.arange(chosen.sum()) * 2.4)
        axes.scatter(standard[chosen], height, s=8, color=colour, alpha=0.5, linewidths=0, rasterized=len(own) > 400)
        axes.plot([np.median(standard[chosen])] * 2, [place + shift - 0.17, place + shift + 0.17], color=colour, lw=1.8)
    return standard


def _scale(axes: plt.Axes, values: np.ndarray) -> None:
    """Make an axis linear to three standard deviations and logarithmic beyond, because detectable lesions lie far out."""
    axes.set_xscale("symlog", linthresh=LINEAR, linscale=1.2)
    low, high = (min(values.min(), -LINEAR), max(values.max(), LINEAR)) if values.size else (-LINEAR, LINEAR)
    axes.set_xlim(1.25 * low, 1.35 * high)
    steps = [tick * 10**power for power in range(6) for tick in (1, 3)]
    ticks = [tick for tick in (*(-step for step in steps), 0, *steps) if low <= tick <= high and abs(tick) != 1]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    axes.set_xlabel("Score (SD of healthy subjects)")
