"""Pictures of cases that a rule chose, not a person: best, median and worst by AUPRC, a healthy subject, and an unmarked one.

Axial slices in neurological convention: the patient's left is at the left, anterior is up.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import Normalize

from madad.core.io.hdf5 import Maps
from madad.evaluation.results.collected import block_title
from madad.reporting.galleries.cases import (
    HEALTHY,
    RULE,
    SPLIT,
    UNMARKED,
    Case,
    Numbers,
    View,
    cases_of,
    opened_test_pack,
    views,
)
from madad.reporting.layout import image_grid, style
from madad.reporting.layout.image_grid import GAP, MAP_COLOURS, Sheet

# The brightest voxels of a map are cut off, or one of them would darken the rest.
BRIGHTEST_SHARE = 99.8
EMPTY_MAP = 1e-5  # highest score below which a map shows nothing
WIDTH = 1.5  # inches of a picture in the gallery of one method
BESIDE = 1.45  # inches for the text beside a case
ABOVE = 0.9  # inches for titles
MOST_COLUMNS = 7


def draw_gallery(maps: Path, long_table: Path, packs: Sequence[Path], png: Path, pdf: Path) -> None:
    """Draw the input, reconstruction, anomaly map and reference of the cases of one method.

    Args:
        maps: of one evaluation.
        long_table: of the same evaluation.
        packs: among them the test pack.
    """
    with ExitStack() as stack:
        predictions, pack = stack.enter_context(Maps(maps)), stack.enter_context(opened_test_pack(packs))
        own = Numbers.of(long_table)
        cases = cases_of([own])
        if not cases:
            style.save(style.empty("There is no test subject"), png, pdf)
            return
        shown, shape = views(pack, cases, [predictions])
        columns = ["Input", *(["Reconstruction"] if predictions.has_reconstruction else []), "Anomaly map", "Reference"]
        step = (WIDTH + GAP, WIDTH * shape + GAP)
        right = BESIDE + len(columns) * step[0]
        sheet = Sheet(right + 0.75, ABOVE + len(cases) * step[1])
        _titles(sheet, _title(predictions), "by AUPRC", cases)
        for place, title in enumerate(columns):
            sheet.text(BESIDE + place * step[0] + WIDTH / 2, ABOVE - 0.21, title, ha="center", fontsize=9)
        norm = _scale(predictions, cases)
        for number, (case, view) in enumerate(zip(cases, shown, strict=True)):
            top = ABOVE + number * step[1]
            label = f"{case.reason}\n{case.name}\n{case.measured} {own.describe(case) or 'unknown'}"
            size = min(8, 165 / len(case.name))
            sheet.text(BESIDE - 0.08, top + WIDTH * shape / 2, label, ha="right", va="center", fontsize=size)
            line = [sheet.axes(BESIDE + place * step[0], top, WIDTH, WIDTH * shape) for place in range(len(columns))]
            _draw_case(line, view, predictions, case, norm)
        sheet.scale(right + 0.05, ABOVE, 0.11, min(2, len(cases)) * step[1] - GAP, norm, "Anomaly score")
        style.save(sheet.figure, png, pdf)


def _draw_case(line: Sequence[plt.Axes], view: View, predictions: Maps, case: Case, norm: Normalize) -> None:
    row = predictions.row(SPLIT, case.name)
    image_grid.grey(line[0], view.image)
    image_grid.sides(line[0])
    reconstruction = predictions.reconstruction(row)
    if reconstruction is not None:
        image_grid.grey(line[1], view.cut(reconstruction))
    _draw_map(line[-2], view, predictions.anomaly_map(row), norm)
    _draw_reference(line[-1], view, case)


def draw_side_by_side(
    method_maps: Sequence[Path], method_tables: Sequence[Path], packs: Sequence[Path], png: Path, pdf: Path
) -> None:
    """Draw the same cases under every method: best, median and worst by the mean AUPRC over methods, and a healthy subject.

    Every method has its own colour scale, the same for all cases, because scores of methods have no common unit. Many methods
    go on in a second line.

    Args:
        method_maps: of the methods to compare, all on one test set.
        method_tables: long tables of the same evaluations, in the same order.
        packs: among them the test pack.
    """
    with ExitStack() as stack:
        predictions = [stack.enter_context(Maps(path)) for path in method_maps]
        pack = stack.enter_context(opened_test_pack(packs))
        own = [Numbers.of(path) for path in method_tables]
        cases = cases_of(own)
        if not cases:
            style.save(style.empty("There is no test subject"), png, pdf)
            return
        shown, shape = views(pack, cases, predictions)
        columns = image_grid.fold(len(method_maps) + 2, MOST_COLUMNS)
        width = style.PAGE / max(columns, 5) - GAP
        spots = image_grid.places(len(method_maps) + 2, columns, (width, width * shape + 0.2))
        band = spots[-1][1] + width * shape + 0.55
        sheet = Sheet(columns * (width + GAP), 0.62 + band * len(cases))
        _titles(sheet, _title(predictions[0], "Every method"), "by the mean AUPRC over methods", cases)
        scales = [_scale(store, cases) for store in predictions]
        for number, (case, view) in enumerate(zip(cases, shown, strict=True)):
            top = 0.62 + number * band
            sheet.text(0, top, _heading(case), fontweight="bold")
            panels = [sheet.axes(left, top + 0.36 + down, width, width * shape) for left, down in spots]
            _name(panels, [store.attributes["method"] for store in predictions], [one.describe(case) for one in own], width)
            image_grid.grey(panels[0], view.image)
            image_grid.sides(panels[0])
            _draw_reference(panels[1], view, case)
            for axes, store, norm in zip(panels[2:], predictions, scales, strict=True):
                _draw_map(axes, view, store.anomaly_map(store.row(SPLIT, case.name)), norm)
        style.save(sheet.figure, png, pdf)


def _heading(case: Case) -> str:
    of = f"; mean {case.auprc:.2f}" if np.isfinite(case.auprc) else " at the threshold of 1 % in healthy validation subjects"
    return f"{case.reason[0].upper()}{case.reason[1:]}: {case.name} (numbers: {case.measured}{of})"


def _name(panels: Sequence[plt.Axes], methods: Sequence[str], numbers: Sequence[str], width: float) -> None:
    """Write above each picture whose it is and how good."""
    for axes, name, number in zip(panels, ("Input", "Reference", *methods), ("", "", *numbers), strict=True):
        axes.set_title(name, loc="left", fontsize=min(8, 115 * (width - 0.065 * len(number)) / len(name)), pad=2)
        axes.set_title(number, loc="right", fontsize=8, pad=2)


def _draw_map(axes: plt.Axes, view: View, anomaly_map: np.ndarray, norm: Normalize) -> None:
    axes.imshow(view.cut(anomaly_map), cmap=MAP_COLOURS, norm=norm)
    image_grid.outline(axes, view.lesion, 0.6)
    if anomaly_map.max() < EMPTY_MAP:
        image_grid.remark(axes, "every score is 0")


def _draw_reference(axes: plt.Axes, view: View, case: Case) -> None:
    image_grid.grey(axes, view.image)
    image_grid.outline(axes, view.lesion, 1.2)
    if case.why in (HEALTHY, UNMARKED):
        image_grid.remark(axes, "no lesion" if case.why == HEALTHY else "no reference mask")


def _scale(maps: Maps, cases: Sequence[Case]) -> Normalize:
    """Return one colour scale for all cases of a method, from 0 to nearly the brightest voxel."""
    volumes = [maps.anomaly_map(maps.row(SPLIT, case.name)) for case in cases]
    tops = [np.percentile(volume[volume > 0], BRIGHTEST_SHARE) for volume in volumes if (volume > 0).any()]
    return Normalize(0, float(max(tops, default=1.0)), clip=True)


def _titles(sheet: Sheet, title: str, by: str, cases: Sequence[Case]) -> None:
    sheet.text(0, 0, title, fontsize=10, fontweight="bold")
    others = "the healthy subject" + (" and the one without a reference mask" if cases[-1].why == UNMARKED else "")
    rule = f"Best, median and worst sample {by}; {others} with the median score."
    sheet.text(0, 0.21, f"{rule}\n{RULE}", fontsize=7.5)


def _title(maps: Maps, whose: str | None = None) -> str:
    about = maps.attributes
    name = whose or f"{about['method']}, seed {about['seed']}"
    return f"{name} on {block_title(about['cohort'], about['modality'], about['testset'])}"
