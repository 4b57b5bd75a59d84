"""Figure of one test set in strata: for whom each method works."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from madad.evaluation.results.collected import block_title
from madad.evaluation.statistics import method_order
from madad.evaluation.statistics.intervals import Interval
from madad.reporting.layout import style
from madad.reporting.tables.strata import MEASURES, Divided, divided

LOOKS = tuple(zip(style.PALETTE, style.MARKERS, (-0.13, 0.13), strict=False))
ROW, HEAD = 0.52, 1.35  # inches of a method, and of what stands above and below


def draw_strata(metrics: Path, samples: Path, cohort: str, modality: str, testset: str, png: Path, pdf: Path) -> None:
    """Draw AUPRC and Dice with intervals, a row per method, a column per factor; where levels have an order they are joined.

    Args:
        metrics, samples: see `madad.reporting.tables.strata.divided`.
        cohort, modality, testset: the block to draw.
    """
    block = (cohort, modality, testset)
    found = divided(metrics, samples, only=block).get(block)
    if found is None or len(found.strata) == 1:
        why = "no sample with a lesion" if found is None else "samples do not differ in anything that is known of them"
        style.save(style.empty(f"{block_title(*block)}:\n{why}"), png, pdf)
        return
    style.save(_figure(block, found), png, pdf)


def _figure(block: tuple, found: Divided) -> plt.Figure:
    numbered = list(enumerate(found.strata))
    factors = [(name, list(own)) for name, own in groupby(numbered, key=lambda pair: pair[1].factor)]
    widths = [len(own) + 0.8 for _, own in factors]
    size = (style.PAGE - 1 + 0.07 * max(map(len, found.methods)), ROW * len(found.methods) + HEAD)
    figure, grid = plt.subplots(
        len(found.methods), len(factors), figsize=size, squeeze=False, sharey=True, sharex="col", width_ratios=widths
    )
    style.narrow_gaps(figure, h_pad=0.015, w_pad=0.02, hspace=0.02)
    everybody = found.strata[0]
    title = f"{block_title(*block)} ({method_order.in_words(len(everybody.samples), everybody.subjects)})"
    figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, fontweight="bold")
    for row, method in zip(grid, found.methods, strict=True):
        for axes, (_, own) in zip(row, factors, strict=True):
            _panel(axes, found, method, [place for place, _ in own], own[0][1].ordered)
        row[0].set_ylabel(method, rotation=0, ha="right", va="center")
    for axes, (name, own) in zip(grid[0], factors, strict=True):
        axes.set_title(name, fontsize=9)
        axes.set_xlim(-0.6, len(own) - 0.4)
    for axes, (_, own) in zip(grid[-1], factors, strict=True):
        labels = [f"{stratum.level} ({len(stratum.samples)})" for _, stratum in own]
        axes.set_xticks(range(len(own)), labels, rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
    shown = [value for one in found.values.values() for value in (one.value, one.high)]
    limit = style.upper_limit(shown)
    grid[0, 0].set(ylim=(-0.03 * limit, limit), yticks=[0, _half(limit)])
    entries = [
        Line2D([], [], color=colour, marker=marker, ls="none", ms=4.5, label=measure.title)
        for (colour, marker, _), measure in zip(LOOKS, MEASURES, strict=True)
    ]
    style.legend_below(figure, entries)
    return figure


def _half(limit: float) -> float:
    """Return half of a round limit, without the room at its top."""
    return float(f"{limit / 1.03 / 2:.2g}")


def _panel(axes: plt.Axes, found: Divided, method: str, places: list[int], ordered: bool) -> None:
    for (colour, marker, shift), measure in zip(LOOKS, MEASURES, strict=True):
        own = [found.values.get((measure.key, method, place)) or Interval(np.nan, np.nan, np.nan, 0) for place in places]
        at, value = np.arange(len(own)) + shift, np.array([one.value for one in own])
        low, high = (np.array([getattr(one, end) for one in own]) for end in ("low", "high"))
        axes.vlines(at, low, high, color=colour, lw=1.1)
        axes.plot(at, value, marker, color=colour, ms=4, mec="white", mew=0.5)
        if ordered:
            axes.plot(at, value, color=colour, lw=0.8, alpha=0.6)
    axes.tick_params(length=0)
    axes.grid(False, axis="x")
