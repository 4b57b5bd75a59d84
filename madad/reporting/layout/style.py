"""One look for every figure: colours that colour-blind readers can tell apart, readable sizes, the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # before pyplot: there is no display on a cluster

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.lines import Line2D

from madad.configuration import cards
from madad.configuration.tracks import FLOORS
from madad.core.provenance import complete
from madad.reporting.layout import drawn_numbers
from madad.reporting.layout.png import write_png

# Keyword arguments of matplotlib.
Style = dict[str, Any]

DPI = 150
# Okabe & Ito 2008 without black and yellow, which vanishes on white; then the colours that stay farthest from these, from
# grey and from each other under normal vision, protanopia and deuteranopia (least CIEDE2000 over the three).
PALETTE = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"),
    *("#960000", "#3c2d5a", "#0000d2", "#ff96a5", "#690f2d", "#3c87ff"),
)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "p")
DASHES = ("solid", (0, (4, 1.2)), (0, (1.2, 1)), (0, (5, 1.2, 1.2, 1.2)))
FLOOR_COLOURS = ("#5b5b5b", "#9a9a9a", "#bdbdbd")
HEALTHY, LESION = PALETTE[0], PALETTE[1]
GREY = "#6e6e6e"
LIMITS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # where an axis of shares may end
PAGE = 7.0  # inches: two columns of a journal, in which a figure keeps the size of its letters

sns.set_theme(
    context="paper",
    style="ticks",
    palette=PALETTE,
    rc={
        "figure.dpi": DPI,
        "figure.constrained_layout.use": True,
        "font.size": 8,
        "axes.titlesize": 8.5,
        "axes.labelsize": 8,
        "legend.fontsize": 7.5,
        "xtick.labelsize": 7.5,
        "ytick.labelsize": 7.5,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e6e6e6",
        "grid.linewidth": 0.7,
        "legend.frameon": False,
        "svg.hashsalt": "madad",
        "pdf.fonttype": 42,
    },
)

_NO_DATES = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}


@lru_cache(maxsize=1)
def _floors() -> tuple[str, ...]:
    return tuple(name for name in cards.names() if cards.load(name)["track"] == FLOORS)


def is_floor(method: str) -> bool:
    """Whether a method learns nothing, and so marks the floor that others must clear; variants are called after theirs."""
    return any(method == floor or method.startswith((f"{floor}_", f"{floor}-")) for floor in _floors())


def _places(names: Iterable[str]) -> dict[str, tuple[bool, int]]:
    """Whether each name is a floor, and its place among its like in the alphabet: the same in every figure of a report."""
    kinds = {name: is_floor(name) for name in names}
    groups = [sorted(name for name in kinds if kinds[name] == kind) for kind in (False, True)]
    return {name: (kinds[name], group.index(name)) for group in groups for name in group}


def colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for every name: floors in grey, the others from the palette, which repeats where it is too short.

    It depends on which names there are, not on their order: give all methods of the report, not those of one panel.
    """
    placed = _places(names)
    return {name: (FLOOR_COLOURS if floor else PALETTE)[place % (3 if floor else 12)] for name, (floor, place) in placed.items()}


def markers(names: Iterable[str]) -> dict[str, str]:
    """Return a marker for every name; with the colours it tells 120 names apart."""
    return {name: MARKERS[(place + place // len(PALETTE)) % len(MARKERS)] for name, (_, place) in _places(names).items()}


def dashes(names: Iterable[str]) -> dict[str, Any]:
    """Return a line style for every name; with the colours it tells 48 names apart."""
    return {name: DASHES[(place + place // len(PALETTE)) % len(DASHES)] for name, (_, place) in _places(names).items()}


def handles(names: Sequence[str], *, line: bool = True) -> list[Line2D]:
    """Return the legend entries of methods: marker, colour and, where curves are drawn, line style."""
    colour, marker, dash = colours(names), markers(names), dashes(names)
    shared: Style = {"lw": 1.5, "ms": 5, "mec": "white", "mew": 0.5}
    lines: list[Any] = [dash[name] if line else "none" for name in names]
    return [
        Line2D([], [], color=colour[name], marker=marker[name], linestyle=own, label=name, **shared)
        for name, own in zip(names, lines, strict=True)
    ]


def legend_below(figure: plt.Figure, entries: Sequence, **options: Any) -> None:
    """Draw one legend below all panels, in as many columns as fit the width; the figure grows by its height.

    Args:
        entries: artists with labels.
    """
    width, height = figure.get_size_inches()
    longest = max((len(entry.get_label()) for entry in entries), default=0)
    columns = max(1, min(int(width / (0.075 * longest + 0.55)), len(entries)))
    figure.set_size_inches(width, height + 0.1 + 0.19 * -(-len(entries) // columns))
    figure.legend(handles=list(entries), loc="outside lower center", ncols=columns, **options)


def grid(panels: int, size: tuple[float, float], most: int = 4) -> tuple[plt.Figure, list[plt.Axes]]:
    """Return a figure with so many panels, in as few rows as `most` allows, and as equally full as possible.

    Args:
        size: width and height of a panel in inches.
        most: columns at most.
    """
    rows = -(-panels // most)
    columns = -(-panels // rows)
    figure, axes = plt.subplots(rows, columns, figsize=(max(4.5, size[0] * columns), size[1] * rows), squeeze=False)
    for spare in axes.flat[panels:]:
        spare.axis("off")
    return figure, list(axes.flat[:panels])


def narrow_gaps(figure: plt.Figure, **gaps: float) -> None:
    """Set the gaps between the panels of a figure with constrained layout.

    Args:
        gaps: `w_pad` and `h_pad` in inches, `wspace` and `hspace` as shares of a panel.
    """
    engine: Any = figure.get_layout_engine()
    engine.set(**gaps)


def upper_limit(values: Iterable[float]) -> float:
    """Return the end of an axis of shares that begins at 0: the first round number above all values, about 1 at most."""
    finite = [value for value in values if np.isfinite(value)]
    highest = 1.04 * max(finite, default=1.0)
    return 1.03 * next((limit for limit in LIMITS if highest <= limit), 1.0)


def say(axes: plt.Axes, text: str) -> None:
    """Write in the middle of a panel why it shows nothing."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GREY, fontsize=8.5)


def save(figure: plt.Figure, *paths: str | Path, numbers: bool = False) -> None:
    """Write a figure under every path, in the format of its suffix, and forget it: PNG for the report, PDF for papers.

    Args:
        figure: to be written.
        paths: where to.
        numbers: whether what it draws is written beside a PDF, as CSV; for figures that no table holds the numbers of.
    """
    for path in map(Path, paths):
        kind = path.suffix[1:]
        with complete(path) as partial:
            drawn = io.BytesIO()
            target = drawn if kind == "png" else partial
            figure.savefig(target, format=kind, dpi=DPI, metadata=_NO_DATES[kind], bbox_inches="tight", pad_inches=0.08)
            if kind == "png":
                write_png(drawn, partial, DPI)
        if numbers and kind == "pdf":
            with complete(path.with_suffix(".csv")) as partial:
                drawn_numbers.write(figure, partial)
    plt.close(figure)


def as_svg(figure: plt.Figure) -> str:
    """Return a figure as the text of an SVG file."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=_NO_DATES["svg"], bbox_inches="tight", pad_inches=0.08)
    return stream.getvalue()


def empty(reason: str) -> plt.Figure:
    """Return a figure that says why there is nothing to see."""
    figure, axes = plt.subplots(figsize=(6, 1.5))
    axes.axis("off")
    axes.text(0.5, 0.5, reason, ha="center", va="center", color=GREY, fontsize=11)
    return figure
