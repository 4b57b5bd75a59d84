"""PNG files of less than half the size: a palette of 256 colours, where nobody can see it.

The usual choice of a palette, by how often colours occur, spends it on greys and leaves the steps of a colour scale visible.
Here a quarter of it is a ramp of greys, so that anatomy gets no tint, and the rest are the colours that cover all others best.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

COLOURS, GREYS = 256, 64
# Levels of 255 by which one pixel of a thousand may be off; where more are, the picture keeps all its colours.
TOLERANCE = 16


def write_png(drawn: io.BytesIO, path: Path, dpi: int) -> None:
    """Write a PNG again, with a palette if that is as good.

    Args:
        drawn: a PNG file with all its colours.
        path: where the smaller one goes.
        dpi: pixels per inch, told to whoever prints it.
    """
    image = Image.open(drawn).convert("RGB")
    reduced = _reduced(np.asarray(image))
    (image if reduced is None else reduced).save(path, format="png", optimize=True, dpi=(dpi, dpi))


def _reduced(pixels: np.ndarray) -> Image.Image | None:
    """The picture with a palette, or None where it would show.

    Args:
        pixels: (H, W, 3) uint8.
    """
    red, green, blue = np.moveaxis(pixels.astype(np.uint32), -1, 0)
    packed, place = np.unique((red << 16) | (green << 8) | blue, return_inverse=True)
    colours = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=1).astype(np.uint8)
    grey = np.ptp(colours.astype(int), axis=1) == 0
    ramp, others = _palette(colours, grey)
    palette = np.concatenate([ramp, others])
    nearest = np.empty(len(colours), dtype=np.uint8)
    for chosen, known in ((grey, ramp), (~grey, palette)):  # what is grey stays grey
        if chosen.any():
            nearest[chosen] = cKDTree(known.astype(np.float64)).query(colours[chosen].astype(np.float64))[1]
    off = np.abs(palette[nearest].astype(int) - colours).max(axis=1)
    if np.quantile(off[place], 0.999) > TOLERANCE:
        return None
    image = Image.fromarray(nearest[place].reshape(pixels.shape[:2]), "P")
    image.putpalette(palette.tobytes())
    return image


def _palette(colours: np.ndarray, grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Greys and other colours, (K, 3) each and at most 256 together, for the distinct ones of a picture."""
    ramp, others = colours[grey], colours[~grey]
    if len(ramp) > GREYS:
        ramp = ramp[np.linspace(0, len(ramp) - 1, GREYS).round().astype(int)]
    room = COLOURS - len(ramp)
    if len(others) > room:
        chosen = Image.fromarray(others[None]).quantize(room, Image.Quantize.MAXCOVERAGE).getpalette()
        others = np.array(chosen, dtype=np.uint8).reshape(-1, 3)[:room]
    return ramp, others
