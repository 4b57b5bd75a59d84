"""One look for every figure: a palette that colour-blind readers can tell apart, readable sizes, the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # before pyplot: there is no display on a cluster

import matplotlib.pyplot as plt
import seaborn as sns

from madad.provenance import complete

DPI = 150
# Okabe & Ito 2008, without yellow, which vanishes on white.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#5b5b5b")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
HEALTHY, LESION = PALETTE[0], PALETTE[1]
GREY = "#6e6e6e"

sns.set_theme(
    context="paper",
    style="ticks",
    palette=PALETTE,
    rc={
        "figure.dpi": DPI,
        "figure.constrained_layout.use": True,
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.labelsize": 9,
        "legend.fontsize": 8.5,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
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


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for every name, repeated when there are more names than colours."""
    return dict(zip(names, islice(cycle(PALETTE), len(names)), strict=True))


def markers(names: Sequence[str]) -> dict[str, str]:
    """A marker for every name; with the colours it tells more names apart than either could."""
    return {name: MARKERS[(index + index // len(PALETTE)) % len(MARKERS)] for index, name in enumerate(names)}


def save(figure: plt.Figure, *paths: str | Path) -> None:
    """Write a figure under every path, in the format of its suffix, and forget it."""
    for path in map(Path, paths):
        kind = path.suffix[1:]
        with complete(path) as partial:
            figure.savefig(partial, format=kind, dpi=DPI, metadata=_NO_DATES[kind], bbox_inches="tight", pad_inches=0.08)
    plt.close(figure)


def as_svg(figure: plt.Figure) -> str:
    """A figure as the text of an SVG file."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=_NO_DATES["svg"], bbox_inches="tight", pad_inches=0.08)
    return stream.getvalue()


def empty(reason: str) -> plt.Figure:
    """A figure that says why there is nothing to see."""
    figure, axes = plt.subplots(figsize=(6, 1.5))
    axes.axis("off")
    axes.text(0.5, 0.5, reason, ha="center", va="center", color=GREY, fontsize=11)
    return figure
