"""What a reader sees of a figure: its texts, and which of them run into each other."""

from __future__ import annotations

from itertools import combinations

import matplotlib.pyplot as plt
import pytest
from matplotlib.text import Text

from madad.reporting.layout import style


def caught(monkeypatch: pytest.MonkeyPatch) -> list[plt.Figure]:
    """Figures that are drawn from now on, instead of being written and forgotten."""
    figures: list[plt.Figure] = []
    monkeypatch.setattr(style, "save", lambda figure, *paths, **_: figures.append(figure))
    return figures


def drawn_texts(figure: plt.Figure) -> list[Text]:
    """Every text that can be seen."""
    figure.canvas.draw()
    found = figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible() and artist.get_text().strip())
    ticks = [label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in _ticks(axes, axis)]
    hidden = {id(text) for axes in figure.axes for text in _all_ticks(axes)}
    hidden |= {id(axis.label) for axes in figure.axes if not axes.axison for axis in (axes.xaxis, axes.yaxis)}
    return [text for text in found if id(text) not in hidden] + ticks


def words(figure: plt.Figure) -> str:
    """All texts, one a line."""
    return "\n".join(text.get_text() for text in drawn_texts(figure))


def collisions(figure: plt.Figure) -> list[tuple[str, str]]:
    """Pairs of texts whose boxes overlap by more than two pixels both ways."""
    renderer = figure.canvas.get_renderer()
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in drawn_texts(figure)]

    def meet(first, second) -> bool:
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        return across > 2 and min(first.y1, second.y1) - max(first.y0, second.y0) > 2

    return [(one, other) for (one, first), (other, second) in combinations(boxes, 2) if meet(first, second)]


def _all_ticks(axes: plt.Axes) -> list[Text]:
    return [
        label
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.majorTicks, *axis.minorTicks)
        for label in (tick.label1, tick.label2)
    ]


def _ticks(axes: plt.Axes, axis) -> list[Text]:
    """Labels of the ticks that lie within the limits of the axis."""
    low, high = sorted(axis.get_view_interval())
    shown = [tick for tick in axis.get_major_ticks() if axes.axison and low <= tick.get_loc() <= high]
    return [tick.label1 for tick in shown if tick.label1.get_visible() and tick.label1.get_text().strip()]
