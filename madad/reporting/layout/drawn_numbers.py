"""The numbers that a figure draws, read off the figure itself, so that they are what one sees."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import FillBetweenPolyCollection, LineCollection, PathCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

# panel: its title, after that of its part of the figure. series: the artist's own name (gid), or as in the legend. kind: curve,
# point, interval, band, bar or cell. x, y: its place. x_end, y_end: the other end of an interval, the upper end of a band, the
# opposite corner of a bar. value: of a cell. x_name, y_name: what an axis of names says there.
COLUMNS = ("panel", "x_axis", "y_axis", "series", "kind", "x", "y", "x_end", "y_end", "value", "x_name", "y_name")
Place = tuple[float, float]
# A label of an axis of numbers, or none.
NUMBER = re.compile(r"|[-−+]?[\d.,]+%?|\$.*\$")


class Drawn(NamedTuple):
    """One thing that a panel draws: by which artist, of which kind, where, to where, and the value of a cell."""

    artist: Any
    kind: str
    begin: Place
    end: Place | None = None
    value: float | None = None


def write(figure: Figure, path: str | Path) -> None:
    """Write what a figure draws in data coordinates, one point a row; a figure that draws nothing has the head alone.

    Args:
        figure: with its legends.
        path: of the csv file.
    """
    legend = _legend(figure)
    with Path(path).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for axes in figure.axes:
            head = [_plain(text) for text in (_title(axes), axes.get_xlabel(), axes.get_ylabel())]
            for one in (*_lines(axes), *_collections(axes), *_bars_and_cells(axes)):
                names = [_name_at(axis, place) for axis, place in zip((axes.xaxis, axes.yaxis), one.begin, strict=True)]
                numbers = [*one.begin, *(one.end or (None, None)), one.value]
                writer.writerow([*head, _series(one.artist, legend), one.kind, *map(_number, numbers), *names])


def _title(axes: Axes) -> str:
    """Return the title of a panel, after those of the subfigure and the figure that it is in."""
    titles, place = [axes.get_title("left") or axes.get_title()], axes.get_figure()
    while place is not None:
        titles.insert(0, place.get_suptitle())
        place = place.get_figure(root=False) if isinstance(place, SubFigure) else None
    return ": ".join(title for title in titles if title)


def _lines(axes: Axes) -> Iterator[Drawn]:
    """Yield the points of curves and markers; guide lines over a whole panel are left out."""
    for line in axes.lines:
        points = np.asarray(line.get_xydata())
        if line.get_transform() == axes.transData:
            kind = "curve" if line.get_linestyle() != "None" and len(points) > 1 else "point"
            yield from (Drawn(line, kind, _place(point)) for point in points)


def _collections(axes: Axes) -> Iterator[Drawn]:
    for collection in axes.collections:
        if isinstance(collection, LineCollection):
            parts = [part for part in collection.get_segments() if len(part)]
            yield from (Drawn(collection, "interval", _place(part[0]), _place(part[-1])) for part in parts)
        elif isinstance(collection, FillBetweenPolyCollection):
            yield from _band(collection)
        elif isinstance(collection, PathCollection):
            yield from (Drawn(collection, "point", _place(point)) for point in np.asarray(collection.get_offsets()))


def _band(band: Any) -> Iterator[Drawn]:
    """Yield lower and upper end of an area between two curves at every x; a part where either has no value is left out.

    Args:
        band: from `fill_between`; one of `fill_betweenx` has no upper end, and is left out.
    """
    for path in band.get_paths() if band.t_direction == "x" else ():
        corners = np.asarray(path.vertices)
        for x in np.unique(corners[:, 0]):
            ends = corners[corners[:, 0] == x, 1]
            yield Drawn(band, "band", _place((x, ends.min())), _place((x, ends.max())))


def _bars_and_cells(axes: Axes) -> Iterator[Drawn]:
    for patch in axes.patches:
        if isinstance(patch, Rectangle) and patch.get_data_transform() == axes.transData:
            low, high = patch.get_bbox().get_points()
            yield Drawn(patch, "bar", _place(low), _place(high))
    for image in axes.images:
        cells = np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan)
        yield from (Drawn(image, "cell", (column, row), value=value) for (row, column), value in np.ndenumerate(cells))


def _place(point: Any) -> Place:
    return float(point[0]), float(point[1])


def _look(artist: Any) -> tuple[str, str]:
    """Return colour and marker of an artist, by which a legend names it."""
    if isinstance(artist, Line2D):
        return colors.to_hex(artist.get_color()), str(artist.get_marker())
    if isinstance(artist, AxesImage):
        return "", ""
    found = np.atleast_2d(artist.get_color() if isinstance(artist, LineCollection) else artist.get_facecolor())
    return (colors.to_hex(found[0]) if len(found) else ""), ""


def _legend(figure: Figure) -> dict[tuple[str, str], str]:
    """Return the labels of all legends by colour and marker, and by colour alone where it has one label."""
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
    entries = [entry for one in legends if one for entry in zip(one.legend_handles, one.texts, strict=True)]
    named = [(_look(handle), text.get_text()) for handle, text in entries]
    by_look = {look: label for look, label in named}
    for colour in {look[0] for look, _ in named}:
        labels = {label for look, label in named if look[0] == colour}
        if len(labels) == 1:
            by_look[colour, ""] = labels.pop()
    return by_look


def _series(artist: Any, legend: dict[tuple[str, str], str]) -> str:
    own, look = str(artist.get_gid() or artist.get_label()), _look(artist)
    return _plain(own if not own.startswith("_") else legend.get(look) or legend.get((look[0], ""), ""))


def _name_at(axis: Axis, place: float) -> str:
    """Return what an axis of names says at a place; empty for an axis of numbers."""
    words = [_plain(text.get_text()) for text in axis.get_majorticklabels()]
    places = np.asarray(axis.get_majorticklocs(), dtype=float)
    if len(words) != places.size or all(NUMBER.fullmatch(word) for word in words):
        return ""
    nearest = int(np.argmin(np.abs(places - place)))
    return words[nearest] if abs(places[nearest] - place) <= 0.5 else ""


def _plain(text: str) -> str:
    return " ".join(str(text).replace(r"\$", "$").split())


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
