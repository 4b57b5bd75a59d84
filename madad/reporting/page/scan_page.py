"""A page with one scan and the map of one model, which opens offline: the report's viewer with one pane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from madad.core.provenance import complete
from madad.evaluation.metrics.bounding_box import bounding_box
from madad.reporting.galleries.scored_maps import remark
from madad.reporting.layout import table_writer
from madad.reporting.page.index import as_script
from madad.reporting.viewer.volumes import LEVELS, MARGIN, MOST_VOXELS, as_levels, packed, width_of_level

STYLES = ("table.css", "page.css", "viewer.css")
SCRIPTS = ("volumes.js", "viewer.js")


class Scan(NamedTuple):
    """What the page shows of a scan, arrays (S, H, W) on one grid.

    Attributes:
        name: of the scan.
        image: in [0, 1].
        brain: bool.
        scores: the map as the threshold cuts it.
        spacing_mm: sides of a voxel along S, H and W.
    """

    name: str
    image: np.ndarray
    brain: np.ndarray
    scores: np.ndarray
    spacing_mm: Sequence[float]


def write(scan: Scan, out: Path, *, method: str, threshold: tuple[str, float] | None, smallest: int, note: str) -> None:
    """Write the page.

    Args:
        scan: what is shown.
        out: the page.
        method: name of the model.
        threshold: title of its protocol, and value; None for a model without one.
        smallest: components of fewer voxels are not shown.
        note: first sentence of the page.
    """
    content = {
        "title": f"{scan.name}, {method}",
        "note": note,
        "style": "\n".join(map(table_writer.asset, STYLES)),
        "script": "\n".join(map(table_writer.asset, SCRIPTS)),
        "volumes": as_script([_shown(scan, method, threshold, smallest)]),
    }
    with complete(out) as partial:
        partial.write_text(table_writer.templates().get_template("scan.html").render(**content), encoding="utf-8")


def _shown(scan: Scan, method: str, threshold: tuple[str, float] | None, smallest: int) -> dict[str, Any]:
    """Return the scan in the form of `madad.reporting.viewer.volumes`, as a test set with one case and one method."""
    title, cut = threshold or ("", math.nan)
    step = width_of_level([scan.scores[scan.brain]], cut)
    known = math.isfinite(cut) and cut >= 0
    about = {"name": method, "seed": "", "step": step, "cut": round(cut / step) if known else None, "cutTitle": title}
    return {
        "title": method,
        "spacing": [float(side) for side in scan.spacing_mm],
        "thresholdsOf": "of the model",
        "processed": False,
        "minComponent": smallest,
        "levels": LEVELS,
        "methods": [about],
        "cases": [_case(scan, step)],
    }


def _case(scan: Scan, step: float) -> dict[str, Any]:
    box = bounding_box(scan.brain, MARGIN)
    stride = 1 if scan.brain[box].size <= MOST_VOXELS else 2
    part = tuple(slice(side.start, side.stop, stride) for side in box)
    levels = as_levels(np.where(scan.brain, scan.scores, 0)[part], step)
    highest = np.unravel_index(int(np.argmax(levels)), levels.shape)
    shown = {"raw": packed(levels), "scored": None, "number": "", "remark": remark(scan.scores, scan.brain)}
    return {
        "name": scan.name,
        "reason": "",
        "shape": list(levels.shape),
        "stride": stride,
        "start": [int(place) for place in highest],
        "image": packed(np.rint(255 * np.clip(scan.image[part], 0, 1)).astype(np.uint8)),
        "brain": packed(scan.brain[part].astype(np.uint8)),
        "lesion": packed(np.zeros(levels.shape, dtype=np.uint8)),
        "marked": False,
        "maps": [shown],
    }
