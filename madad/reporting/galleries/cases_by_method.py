"""Pictures of cases that a rule chose, not a person: best, median and worst by AUPRC, a healthy subject, and an unmarked one.

Axial slices in neurological convention: the patient's left is at the left, anterior is up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

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
from madad.reporting.galleries.scored_maps import ScoredMaps, ShownMap
from madad.reporting.layout import image_grid, style
from madad.reporting.layout.image_grid import GAP, MAP_COLOURS, Sheet

# The brightest voxels of a map are cut off, or one of them would darken the rest.
BRIGHTEST_SHARE = 99.8
ABOVE_THRESHOLD = "white"
WIDTH = 1.5  # inches of a picture in the gallery of one method
BESIDE = 1.45  # inches for the text beside a case
ABOVE = 1.02  # inches for titles
MOST_COLUMNS = 6
HEAD = 0.76  # inches for titles above cases side by side


def draw_gallery(maps: Path, long_table: Path, packs: Sequence[Path], scoring: Mapping[str, Any], png: Path, pdf: Path) -> None:
    """Draw the input, reconstruction, anomaly map and reference of the cases of one method.

    The map is that which is scored; beside it is the raw one where that is another.

    Args:
        maps: of one evaluation.
        long_table: of the same evaluation.
        packs: among them the test pack.
        scoring: `erosion`, `median` and `min_component` of the evaluation.
    """
    with ExitStack() as stack:
        predictions, pack = stack.enter_context(Maps(maps)), stack.enter_context(opened_test_pack(packs))
        own = Numbers.of(long_table)
        cases = cases_of([own])
        if not cases:
            style.save(style.empty("There is no test subject"), png, pdf)
            return
        shown, shape = views(pack, cases, [predictions])
        scored = ScoredMaps.of(predictions, long_table, scoring)
        kinds = ["As scored", "Raw"] if scored.processed else ["Anomaly map"]
        columns = ["Input", *(["Reconstruction"] if predictions.has_reconstruction else []), *kinds, "Reference"]
        step = (WIDTH + GAP, WIDTH * shape + GAP)
        right = BESIDE + len(columns) * step[0]
        sheet = Sheet(right + 0.75, ABOVE + len(cases) * step[1])
        _titles(sheet, _title(predictions), "by AUPRC", cases, [scored])
        for place, title in enumerate(columns):
            sheet.text(BESIDE + place * step[0] + WIDTH / 2, ABOVE - 0.21, title, ha="center", fontsize=9)
        norm = _scale(scored, cases)
        for number, (case, view) in enumerate(zip(cases, shown, strict=True)):
            top = ABOVE + number * step[1]
            label = f"{case.reason}\n{case.name}\n{case.measured} {own.describe(case) or 'unknown'}"
            size = min(8, 165 / len(case.name))
            sheet.text(BESIDE - 0.08, top + WIDTH * shape / 2, label, ha="right", va="center", fontsize=size)
            line = [sheet.axes(BESIDE + place * step[0], top, WIDTH, WIDTH * shape) for place in range(len(columns))]
            _draw_case(line, view, scored, case, norm)
        sheet.scale(right + 0.05, ABOVE, 0.11, min(2, len(cases)) * step[1] - GAP, norm, "Anomaly score")
        style.save(sheet.figure, png, pdf)


def _draw_case(line: Sequence[plt.Axes], view: View, scored: ScoredMaps, case: Case, norm: Normalize) -> None:
    image_grid.grey(line[0], view.image)
    image_grid.sides(line[0])
    reconstruction = scored.maps.reconstruction(scored.maps.row(SPLIT, case.name))
    if reconstruction is not None:
        image_grid.grey(line[1], view.cut(reconstruction))
    _draw_maps(line[-3:-1] if scored.processed else line[-2:-1], view, scored.shown(case, view.brain), norm)
    _draw_reference(line[-1], view, case)


def draw_side_by_side(
    method_maps: Sequence[Path],
    method_tables: Sequence[Path],
    packs: Sequence[Path],
    scoring: Mapping[str, Any],
    png: Path,
    pdf: Path,
) -> None:
    """Draw the same cases under every method: best, median and worst by the mean AUPRC over methods, and a healthy subject.

    Every method has its own colour scale, the same for all cases and for maps as scored and raw, because scores of methods have
    no common unit. Many methods go on in a second line.

    Args:
        method_maps: of the methods to compare, all on one test set.
        method_tables: long tables of the same evaluations, in the same order.
        packs: among them the test pack.
        scoring: `erosion`, `median` and `min_component` of the evaluation.
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
        scored = [ScoredMaps.of(store, path, scoring) for store, path in zip(predictions, method_tables, strict=True)]
        names, numbers = _columns(scored)
        columns = image_grid.fold(len(names), MOST_COLUMNS)
        width = style.PAGE / max(columns, 5) - GAP
        spots = image_grid.places(len(names), columns, (width, width * shape + 0.2))
        band = spots[-1][1] + width * shape + 0.55
        sheet = Sheet(columns * (width + GAP), HEAD + band * len(cases))
        _titles(sheet, _title(predictions[0], "Every method"), "by the mean AUPRC over methods", cases, scored)
        scales = [_scale(one, cases) for one in scored]
        for number, (case, view) in enumerate(zip(cases, shown, strict=True)):
            top = HEAD + number * band
            sheet.text(0, top, _heading(case), fontweight="bold")
            panels = [sheet.axes(left, top + 0.36 + down, width, width * shape) for left, down in spots]
            _name(panels, names, ["" if place is None else own[place].describe(case) for place in numbers], width)
            image_grid.grey(panels[0], view.image)
            image_grid.sides(panels[0])
            _draw_reference(panels[1], view, case)
            rest = iter(panels[2:])
            for one, norm in zip(scored, scales, strict=True):
                _draw_maps(list(islice(rest, 1 + one.processed)), view, one.shown(case, view.brain), norm)
        style.save(sheet.figure, png, pdf)


def _heading(case: Case) -> str:
    of = f"; mean {case.auprc:.2f}" if np.isfinite(case.auprc) else " at the threshold of 1 % in healthy validation subjects"
    return f"{case.reason[0].upper()}{case.reason[1:]}: {case.name} (numbers: {case.measured}{of})"


def _columns(scored: Sequence[ScoredMaps]) -> tuple[list[str], list[int | None]]:
    """Return what stands above every picture, and whose number; None for no number."""
    names, numbers = ["Input", "Reference"], [None, None]
    for place, one in enumerate(scored):
        method = one.maps.attributes["method"]
        names += [method, f"{method}, raw"] if one.processed else [method]
        numbers += [place, None] if one.processed else [place]
    return names, numbers


def _name(panels: Sequence[plt.Axes], names: Sequence[str], numbers: Sequence[str], width: float) -> None:
    """Write above each picture whose it is and how good."""
    for axes, name, number in zip(panels, names, numbers, strict=True):
        axes.set_title(name, loc="left", fontsize=min(8, 115 * (width - 0.065 * len(number)) / len(name)), pad=2)
        axes.set_title(number, loc="right", fontsize=8, pad=2)


def _draw_maps(line: Sequence[plt.Axes], view: View, shown: ShownMap, norm: Normalize) -> None:
    """Draw a map as scored, with the border of what lies above the threshold, and raw where there is a second picture."""
    for axes, volume in zip(line, (shown.scored, shown.raw), strict=False):
        axes.imshow(view.cut(volume), cmap=MAP_COLOURS, norm=norm)
    if shown.above is not None:
        # white alone would vanish on the bright end of the scale
        for width, colour in ((1.5, "black"), (0.6, ABOVE_THRESHOLD)):
            image_grid.outline(line[0], view.cut(shown.above), width, colour)
    for axes in line:
        image_grid.outline(axes, view.lesion, 0.8)
    if shown.remark:
        image_grid.remark(line[0], shown.remark)


def _draw_reference(axes: plt.Axes, view: View, case: Case) -> None:
    image_grid.grey(axes, view.image)
    image_grid.outline(axes, view.lesion, 1.2)
    if case.why in (HEALTHY, UNMARKED):
        image_grid.remark(axes, "no lesion" if case.why == HEALTHY else "no reference mask")


def _scale(scored: ScoredMaps, cases: Sequence[Case]) -> Normalize:
    """Return one colour scale for all cases of a method, from 0 to nearly the brightest voxel."""
    volumes = [scored.raw(case) for case in cases]
    tops = [np.percentile(volume[volume > 0], BRIGHTEST_SHARE) for volume in volumes if (volume > 0).any()]
    return Normalize(0, float(max(tops, default=1.0)), clip=True)


def _titles(sheet: Sheet, title: str, by: str, cases: Sequence[Case], scored: Sequence[ScoredMaps]) -> None:
    sheet.text(0, 0, title, fontsize=10, fontweight="bold")
    others = "the healthy subject" + (" and the one without a reference mask" if cases[-1].why == UNMARKED else "")
    rule = f"Best, median and worst sample {by}; {others} with the median score."
    cuts = " or ".join(dict.fromkeys(one.protocol.title for one in scored if one.protocol))
    lines = (
        f"White: above the threshold ({cuts}). Blue: the reference." if cuts else "Blue: the reference. There is no threshold."
    )
    kind = "Maps as scored, and raw." if any(one.processed for one in scored) else "Maps as stored, which is how they are scored."
    sheet.text(0, 0.21, f"{rule}\n{RULE}\n{kind} {lines}", fontsize=7.5)


def _title(maps: Maps, whose: str | None = None) -> str:
    about = maps.attributes
    name = whose or f"{about['method']}, seed {about['seed']}"
    return f"{name} on {block_title(about['cohort'], about['modality'], about['testset'])}"
