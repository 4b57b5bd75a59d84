"""Slices on a sheet: where pictures stand, how they are turned, cut and outlined.

Axial slices in neurological convention: the patient's left is at the left, anterior is up.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

MAP_COLOURS = "inferno"
OUTLINE = "#56b4e9"
MARGIN = 2  # voxels around the brain
GAP = 0.05  # inches between pictures
# Letters of a remark that fit the narrowest picture.
_LETTERS = 18
_SHADE = {"facecolor": "black", "edgecolor": "none", "alpha": 0.6, "pad": 1}


class Sheet:
    """A figure on which everything is placed by its distance from the left and upper edge in inches."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = plt.figure(figsize=(width, height), layout="constrained")
        self.figure.set_layout_engine("none")  # asked for at once, it would come back with the second file that is written

    def axes(self, left: float, top: float, width: float, height: float) -> plt.Axes:
        """Add a panel without ticks or frame."""
        box = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        axes = self.figure.add_axes(box)
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set_visible(False)
        return axes

    def text(self, left: float, top: float, text: str, **options: Any) -> None:
        """Add a text whose upper left corner is there, unless options say otherwise."""
        plain: dict[str, Any] = {"ha": "left", "va": "top", "fontsize": 8.5}
        self.figure.text(left / self.width, 1 - top / self.height, text, **{**plain, **options})

    def scale(
        self, left: float, top: float, width: float, height: float, norm: Normalize, label: str, *, cmap: str = MAP_COLOURS
    ) -> None:
        """Add a colour bar, open at its end, along its longer side."""
        bar = self.axes(left, top, width, height)
        along = "vertical" if height > width else "horizontal"
        drawn = self.figure.colorbar(ScalarMappable(norm, cmap), cax=bar, orientation=along, extend="max")
        drawn.ax.tick_params(labelsize=7.5)
        drawn.set_label(label, size=8)


def box_of(brains: Iterable[np.ndarray]) -> tuple[slice, slice]:
    """Return the rows and columns that hold all brains with a small margin; one box for all pictures of a figure.

    Args:
        brains: (S, H, W) bool each.
    """
    flat = np.any([brain.any(axis=0) for brain in brains], axis=0)
    return _extent(flat.any(axis=1)), _extent(flat.any(axis=0))


def _extent(inside: np.ndarray) -> slice:
    found = np.flatnonzero(inside)
    return slice(max(0, found[0] - MARGIN), found[-1] + 1 + MARGIN) if found.size else slice(None)


def turned(volume: np.ndarray, index: int, box: tuple[slice, slice]) -> np.ndarray:
    """Return one slice of a volume (S, H, W), cut to the box, anterior up."""
    return volume[index][box][::-1]


def grey(axes: plt.Axes, picture: np.ndarray) -> None:
    """Show an image whose brain lies in [0, 1]."""
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)


def outline(axes: plt.Axes, lesion: np.ndarray, width: float = 1.0, colour: str = OUTLINE) -> None:
    """Draw the border of a mask, if there is one."""
    if lesion.any() and not lesion.all():
        axes.contour(lesion, levels=[0.5], colors=[colour], linewidths=width)


def sides(axes: plt.Axes, colour: str = "white") -> None:
    """Label the sides of the head."""
    for x, letter, side in ((0.02, "L", "left"), (0.98, "R", "right")):
        axes.text(x, 0.02, letter, transform=axes.transAxes, ha=side, va="bottom", color=colour, fontsize=7)


def remark(axes: plt.Axes, text: str) -> None:
    """Write a short remark at the top of a dark picture."""
    lines = "\n".join(textwrap.wrap(text, _LETTERS))
    axes.text(0.5, 0.98, lines, transform=axes.transAxes, ha="center", va="top", color="white", fontsize=6.5, bbox=_SHADE)


def absent(axes: plt.Axes, text: str) -> None:
    """Say why there is no picture, on a pale field of its size."""
    axes.set_facecolor("#f2f2f2")
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="#6e6e6e", fontsize=7.5)


def fold(number: int, most: int) -> int:
    """Return the columns for so many pictures, at most `most`, so that the rows are equally full."""
    return -(-number // -(-number // most)) if number else 1


def places(number: int, columns: int, size: tuple[float, float]) -> list[tuple[float, float]]:
    """Return the left and top of pictures that follow each other row by row, in inches."""
    return [(index % columns * (size[0] + GAP), index // columns * size[1]) for index in range(number)]


def shape_of(box: tuple[slice, slice], picture: Sequence[int]) -> float:
    """Return the height of a cut slice over its width."""
    height, width = (len(range(*side.indices(length))) for side, length in zip(box, picture, strict=True))
    return height / width
