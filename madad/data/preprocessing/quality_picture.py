"""The quality picture of one image: a few slices before and after preprocessing, with outlines of the masks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageColor

from madad.core.io.volumes import Volume
from madad.core.provenance import complete
from madad.data.preprocessing.skull_stripping import brain_mask
from madad.data.template import Template

# Where each view is cut: (axis, part of the brain's extent along it).
CUTS = ((2, 0.25), (2, 0.5), (2, 0.75), (1, 0.35), (1, 0.65), (0, 0.52), (0, 0.7))
# The axial cut that is replaced by the slice with most of the lesion.
LESION_CUT = 2
# Distinct for colour-blind readers, and bright on grey.
BRAIN_COLOUR, TEMPLATE_COLOUR, LESION_COLOUR = "#ff7043", "#4dd0e1", "#ffee58"
TILE_INCHES = 1.6
DPI = 100
OUTLINE_POINTS = 1.4  # wide enough to be seen where the picture is shown at less than half its size
# A palette takes a third of the bytes. One chosen from the picture's own colours could lose the outline of a small lesion.
GREYS = 48
OUTLINE_SHARES, BENEATH = (1.0, 0.7, 0.4), (0, 110, 220)


def draw(
    path: Path,
    head: Volume,
    head_brain: np.ndarray,
    matrix: np.ndarray,
    image: Volume,
    brain: np.ndarray,
    template: Template | None,
    head_lesion: Volume | None = None,
    lesion: np.ndarray | None = None,
) -> None:
    """Write a PNG: above the head before stripping, below the result in template space; left is left in both.

    Outlines: brain mask (orange), the template's brain (blue), which is transformed into the head above, and lesion (yellow).

    Args:
        path: file to write.
        head: isotropic head.
        head_brain: its brain mask, (I, J, K).
        matrix: (4, 4) from template to image points.
        image: result on the template's grid.
        brain: brain mask on the template's grid.
        template: the template; None for an image that was not registered.
        head_lesion: lesion mask on any grid of the head's space.
        lesion: lesion mask on the template's grid.
    """
    carried = None if template is None else _moved(template.brain, matrix, head)
    registered = None if template is None else template.brain.array > 0
    marked = None if head_lesion is None else _onto(head_lesion, head)
    rows = (
        _Row(head.array, head_brain, carried, marked),
        _Row(image.array, brain > 0, registered, None if lesion is None else lesion > 0),
    )
    cuts = CUTS if image.array.shape[2] > 1 else CUTS[:1]
    size = (TILE_INCHES * len(cuts), TILE_INCHES * len(rows))
    figure = Figure(size, DPI, facecolor="black")
    figure.set_layout_engine("none")
    canvas = FigureCanvasAgg(figure)
    # not by subplots_adjust, which warns where another layout was the default
    places = {"left": 0, "bottom": 0, "right": 1, "top": 1, "wspace": 0.02, "hspace": 0.02}
    grid = figure.subplots(len(rows), len(cuts), squeeze=False, gridspec_kw=places)
    for tiles, row in zip(grid, rows, strict=True):
        _draw_row(tiles, row)
    canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    with complete(path) as partial:
        pixels.quantize(palette=_palette(), dither=Image.Dither.NONE).save(partial, format="png", optimize=True)


class _Row(NamedTuple):
    """What one row of slices shows, each (I, J, K): intensities, and the masks whose outlines are drawn."""

    array: np.ndarray
    brain: np.ndarray
    template: np.ndarray | None
    lesion: np.ndarray | None


def _draw_row(tiles: Sequence[Axes], row: _Row) -> None:
    """Draw the cuts of one row, as many as there are tiles; one of the axial cuts shows the slice with most of the lesion."""
    array, brain, template, lesion = row
    top = float(np.percentile(array[brain], 99.5)) if brain.any() else float(array.max())
    outlines = ((template, TEMPLATE_COLOUR), (brain, BRAIN_COLOUR), (lesion, LESION_COLOUR))
    for number, (axes, (axis, part)) in enumerate(zip(tiles, CUTS, strict=False)):
        if lesion is not None and number == min(LESION_CUT, len(tiles) - 1) and lesion.any():
            index = int(lesion.sum(axis=(0, 1)).argmax())
        else:
            index = _cut(brain, axis, part)
        cut = [(np.take(mask, index, axis=axis).T, colour) for mask, colour in outlines if mask is not None]
        _tile(axes, np.take(array, index, axis=axis).T, cut, top)


@cache
def _palette() -> Image.Image:
    """Return a palette of greys and of the colours of the outlines over dark, middle and bright tissue."""
    shades = [[round(255 * step / (GREYS - 1))] * 3 for step in range(GREYS)]
    for name in (BRAIN_COLOUR, TEMPLATE_COLOUR, LESION_COLOUR):
        colour = np.array(ImageColor.getrgb(name))
        mixed = [share * colour + (1 - share) * grey for share in OUTLINE_SHARES for grey in BENEATH[: 3 if share < 1 else 1]]
        shades += [[round(part) for part in one] for one in mixed]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for shade in shades for part in shade])
    return palette


def _cut(mask: np.ndarray, axis: int, part: float) -> int:
    """Return the index of the slice at a part of the mask's extent along an axis."""
    found = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
    low, high = (found[0], found[-1]) if found.size else (0, mask.shape[axis] - 1)
    return round(low + part * (high - low))


def _moved(mask: Volume, matrix: np.ndarray, grid: Volume) -> np.ndarray:
    """Resample a mask of the template to the grid of a head."""
    return _onto(Volume(mask.array, matrix @ mask.affine), grid)


def _onto(mask: Volume, grid: Volume) -> np.ndarray:
    """Resample a mask to another grid; a voxel is inside if the mask covers half of it."""
    return brain_mask.onto(mask.with_array(mask.array.astype(np.float32)), grid) > 0.5


def _tile(axes: Axes, picture: np.ndarray, outlines: list[tuple[np.ndarray, str]], top: float) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=top, origin="lower", interpolation="bilinear")
    for shape, colour in outlines:
        if shape.any() and not shape.all():
            axes.contour(shape.astype(float), [0.5], colors=colour, linewidths=OUTLINE_POINTS)
    axes.set_axis_off()
