"""A picture of a result: slices of the brain, of its map and of its healthy reconstruction, the prediction outlined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from madad.core.provenance import complete
from madad.detection.result import Result

COLUMNS = 8
# The slices lie between these shares of the brain's height.
LOWEST, HIGHEST = 0.15, 0.9
# Colours of a map end here without a threshold: a percentile of the brain.
BRIGHTEST = 99.5


def draw(path: Path, result: Result, title: str) -> None:
    """Write a PNG with axial slices in template space, as the model saw them, left on the left.

    Args:
        path: the file.
        result: of a detector.
        title: what is written above.
    """
    own = result.volumes
    brain = own.brain.array > 0
    heights = np.flatnonzero(brain.any(axis=(0, 1)))
    slices = np.linspace(*np.quantile(heights, (LOWEST, HIGHEST)), COLUMNS).round().astype(int)
    top = result.threshold["value"] if result.threshold else 0.0
    scale = max(2 * top, float(np.percentile(own.map.array[brain], BRIGHTEST)), 1e-9)
    rows = [("image", own.image.array, "gray", 1.0), ("anomaly map", own.map.array, "inferno", scale)]
    if own.reconstruction is not None:
        rows.insert(1, ("expected", own.reconstruction.array, "gray", 1.0))
    figure = Figure(figsize=(1.3 * COLUMNS, 1.5 * len(rows) + 0.6), layout="constrained", facecolor="white")
    axes = figure.subplots(len(rows), COLUMNS, squeeze=False)
    for line, (name, array, colours, high) in zip(axes, rows, strict=True):
        for panel, height in zip(line, slices, strict=True):
            panel.imshow(array[:, :, height].T, cmap=colours, vmin=0, vmax=high, origin="lower")
            if own.mask is not None and own.mask.array[:, :, height].any():
                panel.contour(own.mask.array[:, :, height].T, levels=[0.5], colors="cyan", linewidths=0.7)
            panel.set(xticks=[], yticks=[])
        line[0].set_ylabel(name)
    figure.suptitle(title, fontsize=9)
    with complete(path) as partial:
        figure.savefig(partial, dpi=110, format="png", metadata={"Software": None})
