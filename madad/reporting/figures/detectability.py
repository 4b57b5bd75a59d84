"""Figures of detectability: the smallest lesion that each method finds, and the curves behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from madad.evaluation.results.collected import block_title
from madad.evaluation.statistics import method_order
from madad.evaluation.statistics.detectability import ABOVE_ALL, BELOW_ALL, WANTED, Psychometric, observed
from madad.reporting.layout import style
from madad.reporting.tables.detectability import NOTHING_IMPLANTED, Detection, contrasts_of, detections, nearest

# Where the axis ends beyond the volumes tried, and where a mark says "further".
MARGIN, BEYOND = 2.2, 1.55
ABREAST = 4
LONG_NAME = 26
# More contrasts than these would not fit; those between are in the table.
MOST_CONTRASTS = 4
PERCENT = f"{100 * WANTED:.0f} %"


def draw_detectability(metrics: Path, samples: Path, png: Path, pdf: Path) -> None:
    """Draw the smallest volume found with 80 % probability, a row of panels per test set, a panel per contrast, with intervals.

    The last panel of a row shows what the threshold costs: false positives on healthy test scans.

    Args:
        metrics, samples: see `madad.reporting.tables.detectability.detections`.
    """
    found = detections(metrics, samples)
    if not found:
        style.save(style.empty(NOTHING_IMPLANTED), png, pdf)
        return
    methods = _methods(found)
    heights = [0.26 * len(own) + 1.1 for own in found.values()]
    figure = plt.figure(figsize=(style.PAGE - 1 + 0.07 * max(map(len, methods)), sum(heights)))
    bands = figure.subfigures(len(found), 1, height_ratios=heights, squeeze=False)[:, 0]
    colour = style.colours(methods)
    for band, (block, own) in zip(bands, found.items(), strict=True):
        band.suptitle(_title(block, own), x=0.01, ha="left", fontsize=9.5, fontweight="bold")
        contrasts = _shown_contrasts(own)
        panels = band.subplots(1, len(contrasts) + 1, sharey=True)
        for axes, contrast in zip(panels[:-1], contrasts, strict=True):
            _volumes_panel(axes, own, contrast, colour)
        _alarms_panel(panels[-1], own, colour)
        panels[0].set(yticks=range(len(own)), yticklabels=[one.method for one in own], ylim=(len(own) - 0.5, -0.5))
    style.save(figure, png, pdf)


def _methods(found: dict[tuple, list[Detection]]) -> list[str]:
    return list(dict.fromkeys(one.method for own in found.values() for one in own))


def _title(block: tuple, own: Sequence[Detection]) -> str:
    trials = own[0].trials
    return f"{block_title(*block)} ({method_order.in_words(trials.found.size, np.unique(trials.subjects).size)})"


def _volumes_panel(axes: plt.Axes, own: Sequence[Detection], contrast: float, colour: dict[str, str]) -> None:
    volumes = _volumes(own)
    for place, one in enumerate(own):
        if isinstance(one.curve, str):
            axes.text(volumes[0], place, " no curve", va="center", fontsize=8, color=style.GREY)
            continue
        value, low, high = (_place(volume, one.curve) for volume in one.curve.smallest_found(contrast))
        look: style.Style = {"color": colour[one.method], "lw": 1.5}
        if np.isfinite(low):
            axes.plot([low, high], [place, place], **look)
        for end in (low, high):
            if np.isfinite(end) and end != value:
                axes.plot(end, place, _mark(end, volumes, inside="|"), ms=5, mew=1.2, **look)
        axes.plot(value, place, _mark(value, volumes, inside="o"), ms=6, mec="white", mew=0.7, **look)
    for end, edge in ((volumes[0], volumes[0] / MARGIN), (volumes[-1], volumes[-1] * MARGIN)):
        axes.axvspan(min(end, edge), max(end, edge), color="#f1f1f1", zorder=0)
    _volume_axis(axes, volumes, MARGIN)
    axes.set_title(f"V80, contrast {contrast:g}", fontsize=9)
    axes.set_xlabel("Volume (ml)")
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)


def _mark(volume: float, volumes: np.ndarray, inside: str) -> str:
    """Return an arrow for what lies beyond the volumes tried."""
    return "<" if volume < volumes[0] else ">" if volume > volumes[-1] else inside


def _volumes(own: Sequence[Detection]) -> np.ndarray:
    return np.unique(np.concatenate([one.trials.volume_ml for one in own]))


def _shown_contrasts(own: Sequence[Detection]) -> list[float]:
    contrasts = contrasts_of(own)
    places = np.linspace(0, len(contrasts) - 1, min(len(contrasts), MOST_CONTRASTS)).round().astype(int)
    return [contrasts[place] for place in places]


def _place(volume: float, curve: Psychometric) -> float:
    """Return where on the axis a volume is drawn: beyond what was tried at a fixed place."""
    if volume == BELOW_ALL:
        return curve.tried_ml[0] / BEYOND
    return curve.tried_ml[1] * BEYOND if volume == ABOVE_ALL else volume


def _volume_axis(axes: plt.Axes, volumes: np.ndarray, margin: float) -> None:
    axes.set_xscale("log")
    axes.set_xlim(volumes[0] / margin, volumes[-1] * margin)
    # Volumes whose labels would overlap share one.
    apart = [volumes[0]]
    for volume in volumes[1:]:
        if volume > 2 * apart[-1]:
            apart.append(volume)
    axes.xaxis.set_major_locator(FixedLocator(apart))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _alarms_panel(axes: plt.Axes, own: Sequence[Detection], colour: dict[str, str]) -> None:
    for place, one in enumerate(own):
        alarms = one.alarms
        bounds = [[alarms.value - alarms.low], [alarms.high - alarms.value]]
        error = bounds if np.isfinite(bounds).all() else None
        look: style.Style = {"color": colour[one.method], "mec": "white", "mew": 0.7}
        axes.errorbar(alarms.value, place, xerr=error, fmt="o", ms=5, capsize=2.5, elinewidth=1.5, **look)
    if not any(np.isfinite(one.alarms.value) for one in own):
        style.say(axes, "no healthy\ntest scan")
    axes.axvline(1, color=style.GREY, lw=1, ls=(0, (3, 2)), zorder=0.5)
    axes.set_title("FP/scan", fontsize=9)
    axes.set_xlabel("Healthy test scans")
    highest = np.nanmax([1, *(bound for one in own for bound in (one.alarms.value, one.alarms.high))])
    axes.set_xlim(-0.04 * highest, 1.06 * highest)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)


def draw_curves(metrics: Path, samples: Path, png: Path, pdf: Path) -> None:
    """Draw the probability of being found over the volume: a panel per method and test set, a curve with its band per contrast.

    Points are shares of the lesions whose measured contrast is nearest to the curve's, with Wilson intervals as of independent
    lesions.

    Args:
        metrics, samples: see `madad.reporting.tables.detectability.detections`.
    """
    found = detections(metrics, samples)
    if not found:
        style.save(style.empty(NOTHING_IMPLANTED), png, pdf, numbers=True)
        return
    contrasts = sorted({contrast for own in found.values() for contrast in _shown_contrasts(own)})
    colours = plt.get_cmap("plasma")(np.linspace(0.75, 0.05, len(contrasts)))
    looks = {contrast: (colours[place], style.MARKERS[place % 10]) for place, contrast in enumerate(contrasts)}
    columns = min(ABREAST, max(map(len, found.values())))
    rows = [-(-len(own) // columns) for own in found.values()]
    heights = [1.55 * number + 0.75 for number in rows]
    figure = plt.figure(figsize=(max(4.8, style.PAGE / ABREAST * columns), sum(heights) + 0.4))
    bands = figure.subfigures(len(found), 1, height_ratios=heights, squeeze=False)[:, 0]
    for band, number, (block, own) in zip(bands, rows, found.items(), strict=True):
        band.suptitle(_title(block, own), x=0.01, ha="left", fontsize=9.5, fontweight="bold")
        grid = band.subplots(number, columns, sharex=True, sharey=True, squeeze=False)
        _curves(grid, own, looks)
    entries = [
        Line2D([], [], color=colour, marker=marker, ms=4.5, mec="white", mew=0.5, label=f"contrast {contrast:g}")
        for contrast, (colour, marker) in looks.items()
    ]
    wanted = Line2D([], [], color=style.GREY, lw=1, ls=":", label=PERCENT)
    style.legend_below(figure, [*entries, wanted])
    style.save(figure, png, pdf, numbers=True)


def _curves(grid: np.ndarray, own: Sequence[Detection], looks: dict[float, tuple]) -> None:
    """Draw the panels of one test set."""
    volumes, shown = _volumes(own), _shown_contrasts(own)
    for axes, one in zip(grid.flat, own, strict=False):
        for place, contrast in enumerate(shown):
            _curve(axes, one, shown, contrast, looks[contrast], 1.07 ** (place - (len(shown) - 1) / 2))
        axes.axhline(WANTED, color=style.GREY, lw=1, ls=":")
        axes.set_title(one.method, fontsize=9 if len(one.method) <= LONG_NAME else 6.5)
        if isinstance(one.curve, str):
            axes.text(0.03, 0.9, "no curve", transform=axes.transAxes, fontsize=8, color=style.GREY)
        axes.set(ylim=(-0.03, 1.03), yticks=[0, 0.5, 1])
        _volume_axis(axes, volumes, 1.25)
    for spare in grid.flat[len(own) :]:
        spare.axis("off")
    for axes in grid[:, 0]:
        axes.set_ylabel("Found")
    for column in range(min(grid.shape[1], len(own))):
        # Beneath the last row there may be an empty place.
        lowest = grid[(len(own) - 1 - column) // grid.shape[1], column]
        lowest.set_xlabel("Volume (ml)")
        lowest.tick_params(labelbottom=True)


def _curve(axes: plt.Axes, one: Detection, shown: Sequence[float], contrast: float, look: tuple, shift: float) -> None:
    colour, marker = look
    if isinstance(one.curve, Psychometric):
        line = np.geomspace(*one.curve.tried_ml, 80)
        value, low, high = one.curve.probability(line, contrast)
        axes.plot(line, value, color=colour, lw=1.4)
        if np.isfinite(low).all():
            axes.fill_between(line, low, high, color=colour, alpha=0.13, lw=0)
    points = np.array(observed(one.trials, nearest(one.trials, contrast, shown)))
    if len(points):
        volume, share, low, high, _ = points.T
        axes.errorbar(
            volume * shift,
            share,
            yerr=[share - low, high - share],
            fmt=marker,
            color=colour,
            ms=4,
            mec="white",
            mew=0.5,
            elinewidth=0.8,
            clip_on=False,
            zorder=3,
        )
