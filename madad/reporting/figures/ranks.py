"""Figures of ranks: which methods no test tells apart, and how sure the place of each is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap

from madad.evaluation.results.measures import by_key
from madad.evaluation.statistics.pairwise_tests import ONE_TRAINING
from madad.evaluation.statistics.rankings import CHANCE, title
from madad.evaluation.statistics.ranks import cliques
from madad.reporting.layout import style
from madad.reporting.tables.significance import MAIN, inside, panels, read

LINE = 0.165  # inches between two labels
LETTER = 0.068  # inches of an average letter
NARROWEST = 2.2  # inches of an axis of ranks
ABOVE = 2.2  # lines above an axis of ranks, for its numbers
EMPTY = 0.7  # inches of a panel that only says why it is empty
SHADES = LinearSegmentedColormap.from_list("shades", ["white", style.PALETTE[0]])


def draw_critical_difference(comparisons: Path, ranks: Path, png: Path, pdf: Path) -> None:
    """Draw the mean ranks of all methods, with a bar for each largest group of which nobody is ahead outside the noise.

    A panel each test set, track and main measure, and one over all test sets (Demšar 2006, JMLR 7:1; with pairwise tests in place
    of Nemenyi's as in Benavoli et al. 2016, JMLR 17:5).

    Args:
        comparisons, ranks: see `madad.reporting.tables.significance`.
    """
    pairs, ranked = read(comparisons), read(ranks)
    colour = style.colours(sorted(ranked["method"].unique()))
    room = LETTER * (max(map(len, colour), default=0) + 6)  # of a label with its rank
    columns = 2 if 2 * room + NARROWEST <= style.PAGE / 2 else 1
    shown = {(block, key): part for block, key, part in panels(ranked[ranked["measure"].isin(MAIN)])}
    groups = {place: _packed(_groups(pairs, *place, part)) for place, part in shown.items()}
    depths = {place: _depth(part, groups[place]) for place, part in shown.items()}
    width = style.PAGE / columns

    def draw(axes: plt.Axes, place: tuple, part: pd.DataFrame, height: float) -> None:
        axes.axis("off")
        if not _why_empty(part):
            _diagram(axes, part.dropna(subset="mean_rank"), groups[place], colour, room / width, height / LINE - ABOVE)
        _explain(axes, part, pairs[inside(pairs, *place)])

    heights = {place: LINE * (depth + ABOVE) for place, depth in depths.items()}
    style.save(_panelled(shown, heights, columns, draw), png, pdf)


def _panelled(shown: dict[tuple, pd.DataFrame], heights: dict[tuple, float], columns: int, draw: Callable) -> plt.Figure:
    """Return a figure with a row of panels per block and a column per measure, or one column; a panel without rows says so.

    Args:
        shown: rows of `ranks.csv` by block and measure.
        heights: of their panels in inches.
        draw: takes axes, block and measure, rows, and the height that the row of panels has.
    """
    if not shown:
        return style.empty("No evaluation yet")
    measures = [key for key in MAIN if any(key == own for _, own in shown)]
    places = [(block, key) for block in dict.fromkeys(block for block, _ in shown) for key in measures]
    across = min(columns, len(measures))
    rows = [places[start : start + across] for start in range(0, len(places), across)]
    tall = [max(heights.get(place, 0) for place in row) for row in rows]
    size = (style.PAGE / columns * across, sum(tall) + 0.35 * len(rows))
    figure, grid = plt.subplots(len(rows), across, figsize=size, squeeze=False, height_ratios=tall)
    for axes, place in zip(grid.flat, places, strict=True):
        part = shown.get(place)
        number = 0 if part is None else int(part["subjects"].max())
        axes.set_title(f"{title(place[0])}: {by_key()[place[1]].title} (n = {number})", fontsize=9)
        if part is None:
            axes.axis("off")
            style.say(axes, "values on one test set only")
        else:
            draw(axes, place, part, tall[places.index(place) // across])
    return figure


def _groups(pairs: pd.DataFrame, block: tuple[str, ...], key: str, part: pd.DataFrame) -> list[list[float]]:
    """Return the mean ranks of the members of every group that no test tells apart, the best group first."""
    ranked = part.dropna(subset="mean_rank").set_index("method")["mean_rank"]
    own = pairs[inside(pairs, block, key)]
    alike = np.zeros((len(ranked), len(ranked)), dtype=bool)
    for pair in own[own["winner"] == ""].itertuples():
        if pair.first in ranked.index and pair.second in ranked.index:
            first, second = ranked.index.get_loc(pair.first), ranked.index.get_loc(pair.second)
            alike[first, second] = alike[second, first] = True
    return sorted(sorted(float(ranked.iloc[member]) for member in group) for group in cliques(alike))


def _packed(groups: list[list[float]]) -> list[list[list[float]]]:
    """Return the groups in as few lines as keep their bars apart."""
    lines: list[list[list[float]]] = []
    for group in groups:
        free = next((line for line in lines if group[0] > line[-1][-1] + 0.5), None)
        if free is None:
            lines.append([group])
        else:
            free.append(group)
    return lines


def _depth(part: pd.DataFrame, groups: Sequence) -> float:
    """Return the height of a diagram below its axis, in lines."""
    if _why_empty(part):
        return EMPTY / LINE - ABOVE
    return 0.6 * len(groups) + 1.4 + (part["mean_rank"].notna().sum() + 1) // 2


def _why_empty(part: pd.DataFrame) -> str:
    """Return why methods cannot be ranked, empty when they can."""
    known, subjects = int(part["mean_rank"].notna().sum()), int(part["subjects"].max())
    if known < 2:
        return "one method only: nothing to compare" if known else "no value here: nothing to compare"
    return "one subject only: nothing to compare" if subjects < 2 else ""


def _diagram(
    axes: plt.Axes, part: pd.DataFrame, groups: Sequence[list[list[float]]], colour: dict[str, str], room: float, deepest: float
) -> None:
    """Draw with the axis of ranks at 0 and a line of text as the unit downwards; `room` is the labels' share of the width."""
    number = len(part)
    span = (number - 1) / (1 - 2 * room)
    left, right = 1 - room * span, number + room * span
    axes.set(xlim=(left, right), ylim=(-deepest, ABOVE))
    axes.plot([1, number], [0, 0], color="black", lw=1, solid_capstyle="butt")
    for rank in range(1, number + 1):
        axes.plot([rank, rank], [0, 0.25], color="black", lw=0.8)
        axes.text(rank, 0.45, str(rank), ha="center", va="bottom", fontsize=7.5)
    axes.text(left, 0.3, "mean rank", fontsize=7.5, color=style.GREY, ha="left", va="bottom")
    top = -0.6 * len(groups) - 0.9
    rows = part.sort_values(["mean_rank", "method"]).reset_index(drop=True)
    on_left = (number + 1) // 2
    for place, (_, line) in enumerate(rows.iterrows()):
        row = place if place < on_left else number - 1 - place
        end, side, shift = (1, "right", -0.012) if place < on_left else (number, "left", 0.012)
        height, shift = top - row, shift * span
        axes.plot([line["mean_rank"]] * 2 + [end + shift], [0, height, height], color=colour[line["method"]], lw=1.1)
        label = (line["method"], f"{line['mean_rank']:.2f}")
        text = "  ".join(label if side == "right" else reversed(label))
        axes.text(end + 1.7 * shift, height, text, ha=side, va="center", fontsize=8)
    for index, members in ((index, members) for index, line in enumerate(groups) for members in line):
        height = -0.6 * index - 0.65
        axes.plot([members[0], members[-1]], [height] * 2, color="black", lw=1.8, zorder=3)
        axes.plot(members, [height] * len(members), "o", ms=4, color="black", mew=0, zorder=4)


def _explain(axes: plt.Axes, part: pd.DataFrame, own: pd.DataFrame) -> None:
    """Say why a panel is empty, or why its tests could not have found anything."""
    if _why_empty(part):
        style.say(axes, _why_empty(part))
        return
    reasons = [note for note in dict.fromkeys(own["note"]) if "no adjusted p" in note or note == ONE_TRAINING]
    if reasons:
        axes.text(0.5, 0.0, reasons[0], transform=axes.transAxes, ha="center", va="bottom", fontsize=7, color=style.GREY)


def draw_rank_probabilities(ranks: Path, png: Path, pdf: Path) -> None:
    """Draw how often the mean of every method takes every rank over resamples of subjects and seeds, as heat maps.

    Args:
        ranks: see `madad.reporting.tables.significance`.
    """
    ranked = read(ranks)
    shown = {(block, key): part for block, key, part in panels(ranked[ranked["measure"].isin(MAIN)])}
    heights = {place: EMPTY if _why_empty(part) else 0.185 * len(part) + 0.45 for place, part in shown.items()}
    style.save(_panelled(shown, heights, 2, lambda axes, _, part, __: _heat_map(axes, part)), png, pdf)


def _heat_map(axes: plt.Axes, part: pd.DataFrame) -> None:
    if _why_empty(part):
        axes.axis("off")
        style.say(axes, _why_empty(part))
        return
    known = part.dropna(subset=f"{CHANCE}1")
    number = len(known)
    chances = known[[f"{CHANCE}{rank + 1}" for rank in range(number)]].to_numpy(dtype=float)
    order = np.lexsort((known["method"], np.round(chances @ np.arange(number), 9)))
    chances = chances[order]
    axes.imshow(chances, cmap=SHADES, vmin=0, vmax=1, aspect="auto")
    percent = np.rint(100 * chances).astype(int)
    for row, column in np.argwhere(percent > 0):
        ink = "white" if chances[row, column] > 0.55 else "black"
        axes.text(column, row, str(percent[row, column]), ha="center", va="center", fontsize=7, color=ink)
    axes.set(xticks=range(number), xticklabels=range(1, number + 1), xlabel="rank")
    axes.set_yticks(range(number), known["method"].iloc[order])
    axes.set_xticks(np.arange(number + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(number + 1) - 0.5, minor=True)
    axes.grid(False)
    axes.grid(True, which="minor", color="white", lw=1.2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
