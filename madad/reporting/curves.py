"""Figures of curves and distributions: training, precision and recall, scores of voxels and of subjects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.ticker import MaxNLocator, NullLocator

from madad.reporting import style
from madad.reporting.collect import BLOCK, block_title, read_metrics, select

Blocks = list[tuple[tuple, pd.DataFrame]]


def draw_training(histories: Sequence[Path], trainings: Sequence[Path], png: Path, pdf: Path) -> None:
    """Loss over steps, a panel a method, cohort and sequence; every seed a line, validation dashed.

    Args:
        histories: csv files with `step`, `loss` and `validation_loss`; empty for methods that are not trained.
        trainings: the `train.json` beside each, which says whose it is.
    """
    panels: dict[tuple, list[tuple[str, pd.DataFrame]]] = {}
    for path, about in zip(histories, trainings, strict=True):
        history, info = pd.read_csv(path), json.loads(Path(about).read_text())["identity"]
        if len(history) and "step" in history:
            panels.setdefault((info["method"], info["cohort"], info["modality"]), []).append((str(info["seed"]), history))
    if not panels:
        style.save(style.empty("No method of this run is trained"), png, pdf)
        return
    figure, grid = _grid(len(panels), (3.6, 2.5))
    for axes, (name, runs) in zip(grid, sorted(panels.items()), strict=True):
        _training_panel(axes, runs)
        axes.set(title="{}: {}, {}".format(*name), xlabel="Step", ylabel="Loss")
        axes.legend(title=None)
    style.save(figure, png, pdf)


def _training_panel(axes: plt.Axes, runs: list[tuple[str, pd.DataFrame]]) -> None:
    colour = style.colours([seed for seed, _ in runs])
    lowest, highest = np.inf, -np.inf
    for seed, history in runs:
        for column, line, what in (("loss", "-", "training"), ("validation_loss", "--", "validation")):
            if column not in history or not history[column].notna().any():
                continue
            points = history[["step", column]].dropna()
            axes.plot(points["step"], points[column], line, color=colour[seed], lw=1.2, label=f"{what}, seed {seed}")
            lowest, highest = min(lowest, points[column].min()), max(highest, points[column].max())
    if lowest > 0 and highest > 10 * lowest:
        axes.set_yscale("log")


def draw_precision_recall(metrics: Path, png: Path, pdf: Path) -> None:
    """Pooled precision over recall, a panel a test set, a line a method (mean over seeds)."""
    points = select(read_metrics(metrics), "precision_at_recall")
    points = points.assign(recall=points["protocol"].str.removeprefix("pooled_recall_").astype(float))
    blocks: Blocks = list(points.groupby(list(BLOCK)))
    if not blocks:
        style.save(style.empty("No test subject has a lesion"), png, pdf)
        return
    methods = sorted(points["method"].unique())
    colour = style.colours(methods)
    figure, grid = _grid(len(blocks), (3.0, 2.8))
    for axes, (block, part) in zip(grid, blocks, strict=True):
        for index, (method, own) in enumerate(part.groupby("method")):
            curve = own.groupby("recall")["value"].mean()
            dashes = ("-", "--", "-.", ":")[index // len(style.PALETTE) % 4]
            axes.plot(curve.index, curve, dashes, color=colour[method], lw=1.5, label=method)
        axes.set(title=block_title(*block), xlabel="Recall", ylabel="Precision", xlim=(0, 1.01), ylim=(0, 1.02))
    _legend_once(figure, grid)
    style.save(figure, png, pdf)


def draw_score_distributions(metrics: Path, png: Path, pdf: Path) -> None:
    """Histograms of post-processed voxel scores in lesions and in healthy tissue of the same subjects (first seed).

    A row a test set, a column a method; scores of different methods have different units.
    """
    table = read_metrics(metrics)
    shares = pd.concat([select(table, f"voxel_share_{tissue}").assign(tissue=tissue) for tissue in ("healthy", "lesion")])
    shares = _first_seed(shares.assign(score=shares["protocol"].str.removeprefix("pooled_score_").astype(float)))
    if shares.empty:
        style.save(style.empty("No test subject has a lesion"), png, pdf)
        return
    blocks, methods = list(shares.groupby(list(BLOCK))), sorted(shares["method"].unique())
    size = (2.7 * len(methods) + 0.6, 2.1 * len(blocks) + 0.4)
    figure, grid = plt.subplots(len(blocks), len(methods), figsize=size, squeeze=False, sharey=True)
    for row, (block, part) in zip(grid, blocks, strict=True):
        for axes, method in zip(row, methods, strict=True):
            _histogram(axes, part[part["method"] == method])
            axes.set_title(f"{method}: {block_title(*block)}")
        row[0].set_ylabel("Share of voxels")
    for axes in grid[-1]:
        axes.set_xlabel("Anomaly score")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    style.save(figure, png, pdf)


def _histogram(axes: plt.Axes, part: pd.DataFrame) -> None:
    for tissue, colour, label in (("healthy", style.HEALTHY, "healthy tissue"), ("lesion", style.LESION, "lesion")):
        own = part[part["tissue"] == tissue].sort_values("score")
        if len(own) > 1:
            width = own["score"].iloc[1] - own["score"].iloc[0]
            edges = np.append(own["score"] - width / 2, own["score"].iloc[-1] + width / 2)
            axes.stairs(own["value"], edges, fill=True, color=colour, alpha=0.35)
            axes.stairs(own["value"], edges, color=colour, lw=1.1, label=label)
    axes.set_yscale("log")
    axes.set_ylim(1e-5, 1.5)
    axes.yaxis.set_minor_locator(NullLocator())


def draw_subject_scores(metrics: Path, png: Path, pdf: Path) -> None:
    """Subject scores (mean and 99th percentile of the brain) of healthy subjects and of those with lesions (first seed)."""
    table = read_metrics(metrics)
    scores, aurocs = _first_seed(select(table, "subject_score")), _first_seed(select(table, "subject_auroc"))
    if scores.empty:
        style.save(style.empty("No test subject"), png, pdf)
        return
    blocks, methods = list(scores.groupby([*BLOCK, "protocol"])), sorted(scores["method"].unique())
    size = (2.0 * len(methods) + 0.8, 1.9 * len(blocks))
    figure, grid = plt.subplots(len(blocks), len(methods), figsize=size, squeeze=False)
    for row, (key, part) in zip(grid, blocks, strict=True):
        for axes, method in zip(row, methods, strict=True):
            _strip(axes, part[part["method"] == method])
            found = aurocs[(aurocs[[*BLOCK, "protocol", "method"]] == [*key, method]).all(axis=1)]["value"]
            shown = f"{found.iloc[0]:.2f}" if len(found) and np.isfinite(found.iloc[0]) else "undefined"
            axes.set_title(f"{method}\nAUROC {shown}", fontsize=8.5)
        what = {"mean": "mean", "p99": "99th percentile"}.get(key[-1], key[-1])
        row[0].set_ylabel(f"{block_title(*key[:-1])}\n{what}")
    style.save(figure, png, pdf)


def _strip(axes: plt.Axes, part: pd.DataFrame) -> None:
    kinds = part["group"].where(part["group"] == "healthy", "lesion")
    order = [kind for kind in ("healthy", "lesion") if (kinds == kind).any()]
    palette = {"healthy": style.HEALTHY, "lesion": style.LESION}
    options = {"x": kinds, "y": part["value"], "order": order, "hue": kinds, "palette": palette, "ax": axes, "legend": False}
    sns.boxplot(**options, showfliers=False, width=0.5, fill=False, linewidth=1)
    # Jitter from a fixed comb instead of random numbers: the same bytes every time.
    for place, kind in enumerate(order):
        values = part.loc[kinds == kind, "value"].to_numpy()
        axes.scatter(
            place + 0.12 * np.sin(np.arange(values.size) * 2.4), values, s=9, color=palette[kind], alpha=0.6, linewidths=0
        )
    axes.set(xlabel="", ylabel="")
    axes.margins(y=0.12)
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _first_seed(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the lowest seed of each method and block."""
    if table.empty:
        return table
    seeds = table["seed"].astype(int)
    return table[seeds == seeds.groupby([table[key] for key in (*BLOCK, "method")]).transform("min")]


def _grid(panels: int, size: tuple[float, float]) -> tuple[plt.Figure, list[plt.Axes]]:
    columns = min(3, panels)
    rows = -(-panels // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(size[0] * columns, size[1] * rows), squeeze=False)
    for axes in grid.flat[panels:]:
        axes.axis("off")
    return figure, list(grid.flat[:panels])


def _legend_once(figure: plt.Figure, grid: list[plt.Axes]) -> None:
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)))
