"""The quality picture of one image: a few slices before and after, with the outlines that matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from madad.preprocessing import skull_strip
from madad.provenance import complete
from madad.template import Template
from madad.volumes import Volume

# Where each view is cut: (axis, part of the brain's extent along it).
CUTS = ((2, 0.25), (2, 0.5), (2, 0.75), (1, 0.35), (1, 0.65), (0, 0.52), (0, 0.7))
BRAIN_COLOUR, TEMPLATE_COLOUR = "#ff7043", "#4dd0e1"
TILE_INCHES = 1.3
DPI = 100
# Enough for grey and two outlines, and a third of the bytes.
COLOURS = 64


def draw(
    path: Path, head: Volume, head_brain: np.ndarray, matrix: np.ndarray, image: Volume, brain: np.ndarray, template: Template
) -> None:
    """Write a PNG: above the head before stripping, below the result in template space.

    Outlines: brain mask (orange) and the template's brain (blue), which is carried into the head above.

    Args:
        head, head_brain: isotropic head and its mask (I, J, K).
        matrix: (4, 4) from template to image points.
        image, brain: result and mask on the template's grid.
    """
    carried = Volume(template.brain.array.astype(np.float32), matrix @ template.brain.affine)
    rows = (
        (head.array, head_brain, skull_strip.onto(carried, head) > 0.5),
        (image.array, brain > 0, template.brain.array > 0),
    )
    figure = Figure(figsize=(TILE_INCHES * len(CUTS), TILE_INCHES * len(rows)), facecolor="black", layout="none")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(rows), len(CUTS), gridspec_kw={"wspace": 0.02, "hspace": 0.02})
    figure.subplots_adjust(0, 0, 1, 1)
    for axes, (array, mask, outline) in zip(grid, rows, strict=True):
        top = float(np.percentile(array[mask], 99.5)) if mask.any() else float(array.max())
        for place, (axis, part) in zip(axes, CUTS, strict=True):
            index = _cut(mask, axis, part)
            _tile(place, *(np.take(a, index, axis=axis).T for a in (array, mask, outline)), top)
    figure.canvas.draw()
    pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    with complete(path) as partial:
        pixels.quantize(COLOURS).save(partial, format="png", optimize=True)


def _cut(mask: np.ndarray, axis: int, part: float) -> int:
    """Index of a slice at a part of the mask's extent along an axis."""
    found = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
    low, high = (found[0], found[-1]) if found.size else (0, mask.shape[axis] - 1)
    return round(low + part * (high - low))


def _tile(axes: Axes, picture: np.ndarray, mask: np.ndarray, outline: np.ndarray, top: float) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=top, origin="lower", interpolation="nearest")
    for shape, colour in ((outline, TEMPLATE_COLOUR), (mask, BRAIN_COLOUR)):
        if shape.any() and not shape.all():
            axes.contour(shape.astype(float), [0.5], colors=colour, linewidths=0.7)
    axes.set_axis_off()
