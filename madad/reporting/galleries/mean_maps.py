"""What a method finds in healthy brains on average: systematic errors, and what registration left over.

Axial slices in neurological convention: the patient's left is at the left, anterior is up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.colors import Normalize

from madad.evaluation.results.collected import block_title
from madad.reporting.layout import image_grid, style
from madad.reporting.layout.image_grid import GAP, MAP_COLOURS, Sheet, turned

HEIGHTS = (0.3, 0.5, 0.7)  # of the slices, as shares of the brain from its lowest slice to its highest
# What is averaged: the name of its colour bar, its colours, and the text where there is none.
KINDS = {
    "residual": ("Mean residual |x̂ − x| (image intensity)", "viridis", "no reconstruction"),
    "score": ("Mean anomaly map (multiples of its mean in the brain)", MAP_COLOURS, "every score is 0"),
}
SHARE = 99.5  # percentile of the brain's voxels at which the colour scales end
MOST_ROWS = 6  # methods below each other; more of them take two columns


@dataclass(frozen=True)
class _Mean:
    """Means over healthy subjects, the score divided by its own mean inside the brain; None where there is nothing to show."""

    residual: np.ndarray | None
    score: np.ndarray | None
    brain: np.ndarray
    number: int

    @classmethod
    def of(cls, path: Path) -> _Mean:
        with np.load(path, allow_pickle=False) as stored:
            found = {key: stored[key] for key in stored.files}
        brain = found["brain"]
        usual = found["score"][brain >= 0.5].mean() if (brain >= 0.5).any() else 0.0
        score = found["score"] / usual if usual > 0 else None
        return cls(found.get("residual"), score, brain, int(found["number"]))


def draw_mean_maps(
    mean_maps: Sequence[Path], methods: Sequence[str], cohort: str, modality: str, testset: str, png: Path, pdf: Path
) -> None:
    """Draw the mean residual and mean anomaly map over healthy test subjects, three slices each, a line per method.

    The residual |x̂ − x| is in units of the image and has one colour scale for all methods. Scores have no common unit, so that
    each mean map is divided by its mean inside the brain: 1 is average, 3 three times that; one scale for all again.

    Args:
        mean_maps: npz files of the evaluations of one test set: `score`, `brain` (share of subjects with brain there),
            `number` and, where the method reconstructs, `residual`; (S, H, W) each.
        methods: whose they are.
        cohort: that the methods were trained on.
        modality: of the images.
        testset: that was scored.
    """
    means = {method: _Mean.of(path) for method, path in zip(methods, mean_maps, strict=True)}
    number = max((mean.number for mean in means.values()), default=0)
    if not number:
        style.save(style.empty("There is no healthy test subject"), png, pdf)
        return
    brain = next(mean.brain for mean in means.values() if mean.number)
    box, indices = image_grid.box_of([brain > 0]), _indices(brain)
    abreast = 1 if len(means) <= MOST_ROWS else 2
    each = 2 * len(indices)  # pictures of a method
    width = (style.PAGE - 0.25 * (abreast - 1)) / max(each * abreast, 8) - GAP
    height = width * image_grid.shape_of(box, brain.shape[1:])
    rows = -(-len(means) // abreast)
    sheet = Sheet(abreast * each * (width + GAP) + 0.25 * (abreast - 1), 0.7 + rows * (height + 0.24) + 0.55)
    sheet.text(
        0, 0, f"Healthy test subjects of {block_title(cohort, modality, testset)} (n = {number})", fontsize=10, fontweight="bold"
    )
    sheet.text(0, 0.22, "Left of each method: mean residual; right: mean anomaly map.", fontsize=7.5)
    scales = {kind: _scale([getattr(mean, kind) for mean in means.values()], brain) for kind in KINDS}
    for place, (method, mean) in enumerate(means.items()):
        left = place // rows * (each * (width + GAP) + 0.25)
        top = 0.62 + place % rows * (height + 0.24)
        sheet.text(left, top - 0.17, method)
        for half, kind in enumerate(KINDS):
            spot = (left + half * len(indices) * (width + GAP), top, width, height)
            _draw(sheet, spot, mean, kind, scales[kind], [(index, box) for index in indices])
    for axes in [axes for axes in sheet.figure.axes if axes.images][:1]:
        image_grid.sides(axes, "black")
    _bars(sheet, scales)
    style.save(sheet.figure, png, pdf)


def _draw(
    sheet: Sheet, spot: tuple[float, float, float, float], mean: _Mean, kind: str, norm: Normalize, cuts: Sequence[tuple]
) -> None:
    """Draw the slices of one mean; no subject has brain where the paper shows, the dotted line is the border of most brains.

    Args:
        spot: left, top, width and height of the first picture.
        cuts: slice and box of each.
    """
    left, top, width, height = spot
    volume, (_, colours, missing) = getattr(mean, kind), KINDS[kind]
    if volume is None:
        image_grid.absent(sheet.axes(left, top, len(cuts) * (width + GAP) - GAP, height), missing)
        return
    for step, cut in enumerate(cuts):
        axes = sheet.axes(left + step * (width + GAP), top, width, height)
        brain = turned(mean.brain, *cut)
        axes.imshow(np.ma.masked_where(brain == 0, turned(volume, *cut)), cmap=colours, norm=norm, interpolation="nearest")
        if 0 < (brain >= 0.5).sum() < brain.size:
            axes.contour(brain, levels=[0.5], colors=["white"], linewidths=0.5, linestyles="dotted")


def _indices(brain: np.ndarray) -> list[int]:
    """Return slices at fixed heights of the brain that most subjects share."""
    inside = np.flatnonzero((brain >= 0.5).any(axis=(1, 2)))
    inside = inside if inside.size else np.arange(len(brain))
    return [round(inside[0] + share * (inside[-1] - inside[0])) for share in HEIGHTS]


def _scale(volumes: Sequence[np.ndarray | None], brain: np.ndarray) -> Normalize:
    """Return a scale from 0 to nearly the highest voxel of all methods together, where most subjects have brain."""
    values = [volume[brain >= 0.5] for volume in volumes if volume is not None]
    top = float(np.percentile(np.concatenate(values), SHARE)) if values and values[0].size else 1.0
    return Normalize(0, top or 1.0, clip=True)


def _bars(sheet: Sheet, scales: Mapping[str, Normalize]) -> None:
    wide = sheet.width / 2 - 0.4
    for place, (kind, norm) in enumerate(scales.items()):
        label, colours, _ = KINDS[kind]
        sheet.scale(place * (wide + 0.6) + 0.1, sheet.height - 0.42, wide, 0.11, norm, label, cmap=colours)
