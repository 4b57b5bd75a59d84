"""Which subjects have a lesion at all? One score a subject, healthy ones against those with a lesion: a figure and a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from madad.reporting import counts, style
from madad.reporting.collect import BLOCK, block_title, read_metrics, select
from madad.reporting.curves import first_seed
from madad.reporting.results_tables import named, write_all
from madad.reporting.tables import Cell, Column, Table, interval, number

# Ways of making one number of a map, and those that the figure has room for.
REDUCTIONS = {
    "mean": "mean of the brain",
    "p99": "99th percentile of the brain",
    "max": "highest voxel",
    "top100": "mean of the 100 highest voxels",
    "volume": "abnormal volume",
}
DRAWN = ("mean", "p99", "volume")
METRICS = ["subject_auroc", "subject_auroc_low", "subject_auroc_high"]
METRICS += ["subject_ap", "subject_sensitivity_90", "subject_sensitivity_95"]
COLUMNS = {
    "AUROC": "area under the ROC curve, healthy subjects against those with a lesion",
    "AP": "average precision of finding the subjects with a lesion",
    "Sensitivity at 90 %": "share of subjects with a lesion found where 90 % of the healthy ones are passed",
    "Sensitivity at 95 %": "share of subjects with a lesion found where 95 % of the healthy ones are passed",
}
LINEAR = 3  # standard deviations up to which the axis is linear
NOTE = (
    "Healthy test subjects against those with a lesion, by one score a subject. AUROC with its 95 % bootstrap interval over "
    "subjects; value and bounds are means over seeds. Sensitivity: share of subjects with a lesion above the score that leaves "
    "so many of the healthy test subjects below it. AP: average precision, which depends on how many of each there are."
)
CAUTION = "Where healthy subjects and those with lesions come from different cohorts, it can be the scanner that is detected."


def draw_subject_scores(metrics: Path, png: Path, pdf: Path) -> None:
    """Scores of healthy subjects and of those with lesions, in standard deviations of the healthy ones (first seed).

    Scores of methods have no common unit; measured by the spread of healthy subjects they fit one axis. A row of panels is a
    test set, a panel a way of making one number of a map; beside every method stands its AUROC.
    """
    table = read_metrics(metrics)
    scores = first_seed(select(table, "subject_score"))
    scores = scores[scores["protocol"].isin(DRAWN)].dropna(subset="value")
    if scores.empty:
        style.save(style.empty("No test subject"), png, pdf)
        return
    methods, aurocs = counts.methods_in(table), _aurocs(first_seed(select(table, "subject_auroc")))
    parts = {block: scores[counts.inside(scores, block)] for block in counts.blocks_in(table)}
    parts = {block: part for block, part in parts.items() if len(part)}
    healthy = counts.healthy(table)
    heights = [0.85 + (0.3 * part["method"].nunique() if healthy.get(block) else 0.3) for block, part in parts.items()]
    figure = plt.figure(figsize=(style.PAGE + 0.03 * max(map(len, methods)), sum(heights) + 0.1))
    bands = figure.subfigures(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0]
    for band, (block, part) in zip(bands, parts.items(), strict=True):
        _band(band, block, part, [method for method in methods if method in set(part["method"])], aurocs)
    kinds = (("healthy", style.HEALTHY), ("with a lesion", style.LESION))
    entries = [Line2D([], [], marker="o", ls="none", ms=4, color=colour, label=label) for label, colour in kinds]
    style.legend_below(figure, [*entries, Line2D([], [], marker="|", ls="none", ms=9, mew=1.6, color=style.GREY, label="median")])
    style.save(figure, png, pdf)


def _aurocs(table: pd.DataFrame) -> dict[tuple, float]:
    return {key: float(own["value"].iloc[0]) for key, own in table.groupby([*BLOCK, "method", "protocol"])}


def _band(band: plt.Figure, block: tuple, part: pd.DataFrame, methods: list[str], aurocs: Mapping[tuple, float]) -> None:
    """Panels of one test set."""
    sick = part["group"] != "healthy"
    numbers = {kind: part.loc[chosen, "sample"].nunique() for kind, chosen in (("healthy", ~sick), ("lesion", sick))}
    band.suptitle(
        f"{block_title(*block)} (n = {numbers['healthy']} healthy, {numbers['lesion']} with a lesion)",
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
        axes.set_title(REDUCTIONS[reduction].capitalize(), fontsize=9)
        axes.set(yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5))
        axes.tick_params(axis="y", length=0)
        axes.grid(False, axis="y")
        drawn = [_row(axes, place, own[own["method"] == method]) for place, method in enumerate(methods)]
        _scale(axes, np.concatenate(drawn))
        axes.text(1.02, 1.02, "AUROC", transform=axes.transAxes, fontsize=8, va="bottom")
        for place, method in enumerate(methods):
            value = aurocs.get((*block, method, reduction), np.nan)
            shown = f"{value:.2f}" if np.isfinite(value) else "–"
            axes.annotate(shown, (1.02, place), xycoords=("axes fraction", "data"), fontsize=8, va="center")


def _row(axes: plt.Axes, place: int, own: pd.DataFrame) -> np.ndarray:
    """Dots of one method. Returns the standardised scores, none where the healthy ones do not differ."""
    sick = (own["group"] != "healthy").to_numpy()
    scores = own["value"].to_numpy()
    spread = scores[~sick].std(ddof=1) if (~sick).sum() > 1 else 0.0
    if not spread > 0:
        why = "healthy scores do not differ" if (~sick).sum() > 1 else "one healthy subject has no spread"
        axes.text(0, place, why, ha="center", va="center", fontsize=7.5, color=style.GREY)
        return np.empty(0)
    standard = (scores - scores[~sick].mean()) / spread
    for chosen, colour, shift in ((~sick, style.HEALTHY, -0.2), (sick, style.LESION, 0.2)):
        # Jitter from a fixed comb instead of random numbers: the same bytes every time.
        height = place + shift + 0.12 * np.sin(np.arange(chosen.sum()) * 2.4)
        axes.scatter(standard[chosen], height, s=8, color=colour, alpha=0.5, linewidths=0, rasterized=len(own) > 400)
        axes.plot([np.median(standard[chosen])] * 2, [place + shift - 0.17, place + shift + 0.17], color=colour, lw=1.8)
    return standard


def _scale(axes: plt.Axes, values: np.ndarray) -> None:
    """An axis linear to three standard deviations and logarithmic beyond, because detectable lesions lie far out."""
    axes.set_xscale("symlog", linthresh=LINEAR, linscale=1.2)
    low, high = (min(values.min(), -LINEAR), max(values.max(), LINEAR)) if values.size else (-LINEAR, LINEAR)
    axes.set_xlim(1.25 * low, 1.35 * high)
    steps = [tick * 10**power for power in range(6) for tick in (1, 3)]
    ticks = [tick for tick in (*(-step for step in steps), 0, *steps) if low <= tick <= high and abs(tick) != 1]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    axes.set_xlabel("Score (SD of healthy subjects)")


def write_subjects(metrics: Path, bases: Mapping[str, str], csv: Path, tex: Path, html: Path) -> None:
    """Write how well each method tells subjects with a lesion from healthy ones, by every way of scoring a subject.

    Args:
        metrics: see `madad.reporting.collect`.
        bases: card of each method's name.
    """
    table = read_metrics(metrics)
    rows = pd.concat([select(table, metric) for metric in METRICS])
    values = rows.groupby([*BLOCK, "protocol", "method", "metric"])["value"].mean().unstack("metric").reindex(columns=METRICS)
    found = {key: list(line) for key, line in zip(values.index, values.to_numpy(), strict=True) if np.isfinite(line[0])}
    methods, groups, notes = counts.methods_in(table), [], [NOTE, CAUTION]
    for block in counts.blocks_in(table):
        title, people = block_title(*block), _people(table, block)
        own = [
            (
                f"{title}: {words} ({people})",
                [_line(name, found[key], bases) for name in methods if (key := (*block, reduction, name)) in found],
            )
            for reduction, words in REDUCTIONS.items()
        ]
        groups += [(heading, lines) for heading, lines in own if lines]
        if not any(lines for _, lines in own):
            notes.append(f"{title}: {people}; nothing to tell apart.")
    columns = [Column("Method", number=False), *(Column(f"{title} ↑", note) for title, note in COLUMNS.items())]
    made = Table("Subject-level detection", columns, groups, notes, group_title="Test set and score")
    write_all(made, csv, tex, html)


def _line(method: str, values: list[float], bases: Mapping[str, str]) -> list[Cell]:
    return [named(method, bases), interval(*values[:3]), *(number(value) for value in values[3:])]


def _people(table: pd.DataFrame, block: tuple) -> str:
    scores = select(table, "subject_score")
    own = scores[counts.inside(scores, block)].drop_duplicates("sample")
    healthy = int((own["group"] == "healthy").sum())
    sick = len(own) - healthy
    return f"{healthy} healthy, {sick} sample{'s' if sick != 1 else ''} with a lesion"
