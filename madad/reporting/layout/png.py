"""PNG files of less than half the size: a palette of 256 colours, if the difference cannot be seen.

Pillow's usual choice of a palette follows how often colours occur, spends it on greys and leaves visible steps in a colour scale;
`MAXCOVERAGE` chooses the colours that are closest to all others, and keeps both the scale and the greys of the anatomy.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = 256
# Levels of 255 by which one pixel of a thousand may be off; if more are, the picture keeps all its colours.
TOLERANCE = 16


def write_png(drawn: io.BytesIO, path: Path, dpi: int) -> None:
    """Write a PNG again, with a palette if that is as good.

    Args:
        drawn: a PNG file with all its colours.
        path: where the smaller one is written.
        dpi: pixels per inch, for printing.
    """
    image = Image.open(drawn).convert("RGB")
    reduced = image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    off = np.abs(np.asarray(reduced.convert("RGB")).astype(int) - np.asarray(image)).max(axis=-1)
    chosen = reduced if np.quantile(off, 0.999) <= TOLERANCE else image
    chosen.save(path, format="png", optimize=True, dpi=(dpi, dpi))
