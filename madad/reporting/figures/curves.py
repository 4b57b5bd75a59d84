"""Figures of curves and distributions: training, precision and recall, scores of voxels."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from madad.core.provenance import complete
from madad.evaluation.results.collected import BLOCK, by_block, read_metrics, select
from madad.evaluation.results.metric_table import PRECISION_AT_RECALL, VOXEL_SHARE_HEALTHY, VOXEL_SHARE_LESION
from madad.evaluation.results.protocol_table import RECALL_POINT, SCORE_POINT
from madad.evaluation.statistics import method_order
from madad.reporting.layout import frames, style

Panel = Callable[[plt.Axes, pd.DataFrame, Sequence[str]], None]

# Test sets beside each other in the grid of score distributions; more of them begin a new band.
ABREAST = 4
# A map whose highest score is below this is empty: the evaluation gives its histogram a range of 1e-6.
EMPTY_MAP = 1e-5
TISSUES = (
    (VOXEL_SHARE_HEALTHY.name, style.HEALTHY, "healthy tissue"),
    (VOXEL_SHARE_LESION.name, style.LESION, "lesion"),
)


def draw_training(histories: Sequence[Path], all_trainings: Sequence[Path], png: Path, pdf: Path, csv: Path) -> None:
    """Draw the loss over steps, a panel per method, cohort and sequence; every seed a line, validation dashed.

    The numbers go into one csv file, with `method`, `cohort`, `modality` and `seed` in front.

    Args:
        histories: csv files with `step`, `loss` and `validation_loss`; empty for methods that are not trained. Who took over
            the weights of another method has no panel of its own.
        all_trainings: the `train.json` beside each, which says whose it is.
    """
    panels: dict[tuple, list[tuple[str, pd.DataFrame]]] = {}
    for path, about in zip(histories, all_trainings, strict=True):
        history, told = pd.read_csv(path), json.loads(Path(about).read_text())
        info = told["identity"]
        if len(history) and "step" in history and "weights_from" not in told:
            panels.setdefault((info["method"], info["cohort"], info["modality"]), []).append((str(info["seed"]), history))
    _write_histories(panels, csv)
    if not panels:
        style.save(style.empty("No method of this run is trained"), png, pdf)
        return
    seeds = sorted({seed for runs in panels.values() for seed, _ in runs}, key=int)
    colour = dict(zip(seeds, style.PALETTE * (1 + len(seeds) // len(style.PALETTE)), strict=False))
    figure, grid = style.grid(len(panels), (style.PAGE / 3, 2.1), most=3)
    for axes, (name, runs) in zip(grid, panels.items(), strict=True):
        _training_panel(axes, runs, colour)
        axes.set_title("{}: {}, {}".format(*name), fontsize=9)
        axes.set(xlabel="Step", ylabel="Loss")
    drawn = [Line2D([], [], color=colour[seed], lw=1.5, label=f"seed {seed}") for seed in seeds] if len(seeds) > 1 else []
    plain = style.GREY if drawn else colour[seeds[0]]
    kinds = (("training", "-"), ("healthy validation", "--"))
    style.legend_below(figure, [*drawn, *(Line2D([], [], color=plain, ls=line, label=name) for name, line in kinds)])
    style.save(figure, png, pdf)


def _write_histories(panels: Mapping[tuple, Sequence[tuple[str, pd.DataFrame]]], path: Path) -> None:
    columns = ("method", "cohort", "modality", "seed")
    named = [
        history.assign(**dict(zip(columns, (*name, seed), strict=True)))
        for name, runs in panels.items()
        for seed, history in runs
    ]
    table = pd.concat(named) if named else pd.DataFrame(columns=pd.Index([*columns, "step", "loss", "validation_loss"]))
    with complete(path) as partial:
        table[[*columns, *(column for column in table if column not in columns)]].to_csv(partial, index=False)


def _training_panel(axes: plt.Axes, runs: list[tuple[str, pd.DataFrame]], colour: dict[str, str]) -> None:
    lowest, highest = np.inf, -np.inf
    for seed, history in runs:
        for column, line in (("loss", "-"), ("validation_loss", "--")):
            if column not in history or not history[column].notna().any():
                continue
            points = history[["step", column]].dropna()
            axes.plot(points["step"], points[column], line, color=colour[seed], lw=1.2)
            lowest, highest = min(lowest, points[column].min()), max(highest, points[column].max())
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    if lowest > 0 and highest > 10 * lowest:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())


def draw_precision_recall(metrics: Path, png: Path, pdf: Path) -> None:
    """Draw the pooled precision over recall, a panel per test set, a line per method (mean over seeds); dotted: chance."""
    table = read_metrics(metrics)
    points = select(table, PRECISION_AT_RECALL)
    points = points.assign(recall=points["protocol"].str.removeprefix(RECALL_POINT).astype(float))
    chance = Line2D([], [], color=style.GREY, lw=1, ls=":", label="chance")
    draw_curves(table, points, _precision_panel, {"xlabel": "Recall", "ylabel": "Precision"}, png, pdf, chance)


def draw_curves(
    table: pd.DataFrame, points: pd.DataFrame, panel: Panel, labels: dict[str, str], png: Path, pdf: Path, *entries: Artist
) -> None:
    """Draw a figure with a panel per test set, in the order of the long table, and one legend of all its methods.

    Args:
        table: the long table.
        points: its rows behind the curves; test sets without any are left out.
        panel: draws the rows of one test set, given all methods.
        labels: of the axes.
        entries: what the legend holds beside the methods.
    """
    blocks = dict(by_block(points))
    if not blocks:
        style.save(style.empty("No test subject has a marked lesion"), png, pdf, numbers=True)
        return
    methods, titles = method_order.methods_in(table), method_order.titles(blocks, table)
    figure, grid = style.grid(len(blocks), (3.2, 2.9), most=3)
    for axes, block in zip(grid, (block for block in method_order.blocks_in(table) if block in blocks), strict=True):
        panel(axes, blocks[block], methods)
        axes.set_title(titles[block].replace(" (", "\n("), fontsize=9)
        axes.set(**labels)
    style.legend_below(figure, [*style.handles(methods), *entries], handlelength=3)
    style.save(figure, png, pdf, numbers=True)


def _precision_panel(axes: plt.Axes, part: pd.DataFrame, methods: Sequence[str]) -> None:
    colour, marker, dash = style.colours(methods), style.markers(methods), style.dashes(methods)
    drawn = part.groupby(["method", "recall"])["value"].mean().unstack()
    drawn = drawn.loc[[method for method in methods if method in drawn.index]]
    for place, (method, curve) in enumerate(drawn.iterrows()):
        every = (1 + place % 10, 10)
        look: style.Style = {"lw": 1.3, "ms": 4, "mew": 0, "markevery": every}
        axes.plot(curve.index, curve, color=colour[method], ls=dash[method], marker=marker[method], **look)
    # With everything called abnormal, precision is the share of lesion voxels: what guessing gives at every recall.
    axes.axhline(drawn[1.0].mean(), color=style.GREY, lw=1, ls=":")
    axes.set(xlim=(0, 1.01), ylim=(0, style.upper_limit(drawn.to_numpy().ravel())))


def draw_score_distributions(metrics: Path, png: Path, pdf: Path) -> None:
    """Draw the histograms of post-processed voxel scores in lesions and in healthy tissue of the same subjects (first seed).

    A row per method, a column per test set; scores of different methods have different units. With one test set the methods
    stand in several columns.
    """
    table = read_metrics(metrics)
    parts = [select(table, metric) for metric in (VOXEL_SHARE_HEALTHY, VOXEL_SHARE_LESION)]
    shares = pd.concat([part.assign(tissue=part["metric"]) for part in parts])
    shares = first_seed(shares.assign(score=shares["protocol"].str.removeprefix(SCORE_POINT).astype(float)))
    if shares.empty:
        style.save(style.empty("No test subject has a marked lesion"), png, pdf)
        return
    parts = dict(frames.groups(shares, [*BLOCK, "method"]))
    blocks = [block for block in method_order.blocks_in(table) if any(key[:3] == block for key in parts)]
    figure, grid = _laid_out(blocks, method_order.methods_in(shares))
    titles = method_order.titles(blocks, table)
    for axes, (block, method) in grid.items():
        _histogram(axes, parts.get((*block, method)))
        axes.text(0.98, 0.97, method, transform=axes.transAxes, ha="right", va="top", fontsize=min(8, 190 / len(method)))
    for block in blocks:
        first = next(axes for axes, (own, _) in grid.items() if own == block)
        first.set_title(titles[block].replace(" (", "\n("), fontsize=9)
    figure.supylabel("Share of the voxels of a tissue", fontsize=9)
    figure.supxlabel("Anomaly score (each method has its own unit)", fontsize=9)
    entries = [Line2D([], [], color=colour, lw=1.5, label=label) for _, colour, label in TISSUES]
    figure.legend(handles=entries, loc="outside upper right", ncols=2)
    style.save(figure, png, pdf)


def _laid_out(blocks: Sequence[tuple], methods: Sequence[str]) -> tuple[plt.Figure, dict[plt.Axes, tuple[tuple, str]]]:
    """Return the panels of the grid with the test set and the method of each."""
    if len(blocks) == 1:
        figure, grid = style.grid(len(methods), (style.PAGE / ABREAST, 1.25), most=ABREAST)
        figure.set_figheight(figure.get_figheight() + 0.9)  # for title, legend and axis
        return figure, {axes: (blocks[0], method) for axes, method in zip(grid, methods, strict=True)}
    columns = min(ABREAST, len(blocks))
    bands = [blocks[start : start + columns] for start in range(0, len(blocks), columns)]
    size = (max(6.5, style.PAGE / ABREAST * columns), 0.95 * len(bands) * len(methods) + 0.9)
    figure, grid = plt.subplots(len(bands) * len(methods), columns, figsize=size, squeeze=False, sharey=True, sharex="row")
    panels = {}
    for line, (band, method) in zip(grid, product(bands, methods), strict=True):
        panels |= {axes: (block, method) for axes, block in zip(line, band, strict=False)}
        for spare in line[len(band) :]:
            spare.axis("off")
    return figure, panels


def _histogram(axes: plt.Axes, part: pd.DataFrame | None) -> None:
    axes.set_yscale("log")
    axes.set_ylim(1e-5, 60)  # room above 1 for the name
    axes.set_yticks([1e-4, 1e-2, 1])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    if part is None or part["score"].max() < EMPTY_MAP:
        style.say(axes, "not evaluated" if part is None else "every score is 0")
        return
    for tissue, colour, label in TISSUES:
        own = part[part["tissue"] == tissue].sort_values("score")
        if len(own) > 1:
            width = own["score"].iloc[1] - own["score"].iloc[0]
            edges = np.append(own["score"] - width / 2, own["score"].iloc[-1] + width / 2)
            axes.stairs(own["value"], edges, fill=True, color=colour, alpha=0.25)
            axes.stairs(own["value"], edges, color=colour, lw=1.1, label=label)


def first_seed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the lowest seed of each method and block."""
    if table.empty:
        return table
    seeds = table["seed"].astype(int)
    return table[seeds == seeds.groupby([table[key] for key in (*BLOCK, "method")]).transform("min")]
