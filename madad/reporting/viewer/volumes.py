"""The volumes that the report's viewer shows: the cases of the galleries with the maps of every method, small enough to inline.

Maps are stored in `LEVELS` steps such that the threshold of the tables lies between two of them: what the viewer calls abnormal
at that threshold is what the evaluation called so, voxel by voxel.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from madad.core.io.hdf5 import Maps, Pack
from madad.core.provenance import complete
from madad.evaluation.metrics.bounding_box import bounding_box
from madad.evaluation.protocol.postprocessing import erode, sizes_of
from madad.evaluation.results.collected import block_title
from madad.reporting.galleries.cases import SPLIT, Case, Numbers, cases_of, opened_test_pack
from madad.reporting.galleries.scored_maps import ScoredMaps

LEVELS = 63  # steps of a map above 0: fine enough for the eye, and half the bytes of 255
BRIGHTEST_SHARE = 99.8  # percentile of the positive scores at which the scale ends
MOST_VOXELS = 800_000  # of a volume; larger ones keep every second voxel along each axis
MARGIN = 1  # voxels around the brain
# What the reference holds.
OUTSIDE, INSIDE = 1, 2

Shown = dict[str, Any]


def write_volumes(
    method_maps: Sequence[Path], method_tables: Sequence[Path], packs: Sequence[Path], scoring: Mapping[str, Any], out: Path
) -> None:
    """Write the volumes of one test set as JSON.

    Args:
        method_maps: of the methods to compare, all on one test set.
        method_tables: long tables of the same evaluations, in the same order.
        packs: among them the test pack.
        scoring: `erosion`, `median` and `min_component` of the evaluation.
        out: JSON with `title`, `methods`, `cases` and how both were made; volumes are bytes, deflated, in base64.
    """
    with ExitStack() as stack:
        maps = [stack.enter_context(Maps(path)) for path in method_maps]
        pack = stack.enter_context(opened_test_pack(packs))
        own, sizes = [Numbers.of(path) for path in method_tables], sizes_of(dict(scoring))
        cases = cases_of(own)
        scored = [ScoredMaps.of(store, path, scoring) for store, path in zip(maps, method_tables, strict=True)]
        steps = [step_of(one.maps, cases, one.cut) for one in scored]
        shown = {
            "title": block_title(*(maps[0].attributes[key] for key in ("cohort", "modality", "testset"))) if maps else "",
            "testset": maps[0].attributes["testset"] if maps else "",
            "spacing": [float(side) for side in pack.spacing_mm] if len(pack) else [1.0] * 3,
            "processed": bool(sizes.erosion or sizes.median),
            "minComponent": sizes.min_component,
            "levels": LEVELS,
            "methods": [_method(one, step) for one, step in zip(scored, steps, strict=True)],
            "opens": best_two([store.attributes["method"] for store in maps], own),
            "cases": [_case(case, pack, scored, own, steps) for case in cases],
        }
    with complete(out) as partial:
        partial.write_text(json.dumps(shown, allow_nan=False), encoding="utf-8")


def best_two(names: Sequence[str], own: Sequence[Numbers]) -> list[str]:
    """Return the two methods with the highest mean AUPRC, with which the viewer opens; the first ones where there is none."""
    means = [float(np.mean(list(one.auprc.values()))) if one.auprc else 0.0 for one in own]
    return [names[place] for place in sorted(range(len(names)), key=lambda place: -means[place])[:2]]


def step_of(maps: Maps, cases: Sequence[Case], cut: float) -> float:
    """Return the width of a level for all cases of a method, such that a threshold is a whole number of them.

    Args:
        cut: the threshold; NaN for none.
    """
    return width_of_level([maps.anomaly_map(maps.row(SPLIT, case.name)) for case in cases], cut)


def width_of_level(volumes: Sequence[np.ndarray], cut: float) -> float:
    """Return the width of a level for some maps, such that a threshold (NaN for none) is a whole number of them."""
    tops = [float(np.percentile(volume[volume > 0], BRIGHTEST_SHARE)) for volume in volumes if (volume > 0).any()]
    step = max(tops, default=1.0) / LEVELS
    if not (math.isfinite(cut) and cut > 0):
        return step
    return cut / min(max(round(cut / step), 1), LEVELS - 1)


def as_levels(scores: np.ndarray, step: float) -> np.ndarray:
    """Return scores as levels (uint8): level k holds what lies above k − 1 and not above k steps, 0 what is not above 0."""
    # rounded first, or a score that is a whole number of steps could fall above it by the error of the division
    return np.clip(np.ceil(np.round(scores / step, 6)), 0, LEVELS).astype(np.uint8)


def _method(one: ScoredMaps, step: float) -> Shown:
    return {
        "name": one.maps.attributes["method"],
        "seed": one.maps.attributes["seed"],
        "step": step,
        "cut": round(one.cut / step) if one.cut >= 0 else None,
        "cutTitle": one.protocol.title if one.protocol is not None and one.cut >= 0 else "",
    }


def _case(case: Case, pack: Pack, methods: Sequence[ScoredMaps], own: Sequence[Numbers], steps: Sequence[float]) -> Shown:
    sample = pack.sample(pack.names.index(case.name))
    scored = erode(sample.brain, methods[0].sizes.erosion)
    box = bounding_box(sample.brain | sample.lesion, MARGIN)
    stride = 1 if scored[box].size <= MOST_VOXELS else 2
    part = tuple(slice(side.start, side.stop, stride) for side in box)
    lesion = np.where(sample.lesion, np.where(scored, INSIDE, OUTSIDE), 0)[part]
    made = []
    for one, numbers, step in zip(methods, own, steps, strict=True):
        shown = one.shown(case, sample.brain)
        made.append(
            {
                "raw": packed(as_levels(np.where(sample.brain, shown.raw, 0)[part], step)),
                "scored": packed(as_levels(shown.scored[part], step)) if one.processed else None,
                "number": f"{case.measured} {numbers.describe(case) or 'unknown'}",
                "remark": shown.remark,
            }
        )
    return {
        "name": case.name,
        "reason": case.reason,
        "shape": [len(range(*side.indices(length))) for side, length in zip(part, sample.image.shape, strict=True)],
        "stride": stride,
        "start": _start(lesion == INSIDE),
        "image": packed(np.rint(255 * np.clip(sample.image[part], 0, 1)).astype(np.uint8)),
        "brain": packed(scored[part].astype(np.uint8)),
        "lesion": packed(lesion.astype(np.uint8)),
        "marked": pack.marked(pack.names.index(case.name)),
        "maps": made,
    }


def packed(volume: np.ndarray) -> str:
    """Return a volume of bytes, deflated, in base64."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(volume).tobytes(), 9)).decode()


def _start(lesion: np.ndarray) -> list[int]:
    """Return where the crosshair begins: in the slice with the largest lesion area, in the middle of it; else in the middle."""
    areas = lesion.sum(axis=(1, 2))
    if not areas.any():
        return [length // 2 for length in lesion.shape]
    index = int(np.argmax(areas))
    rows, columns = np.nonzero(lesion[index])
    nearest = int(np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2))
    return [index, int(rows[nearest]), int(columns[nearest])]
