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
from madad.evaluation.metrics.ordinal_scores import ScoreCode, to_scores
from madad.evaluation.protocol.postprocessing import Sizes, coded, erode, score_inside, sizes_of
from madad.evaluation.results.collected import block_title
from madad.evaluation.results.long_table import read
from madad.evaluation.results.metric_table import THRESHOLD
from madad.evaluation.results.protocol_table import HEALTHY_FPR_1, VALIDATION, Protocol
from madad.reporting.galleries.cases import SPLIT, Case, Numbers, cases_of, opened_test_pack

LEVELS = 63  # steps of a map above 0: fine enough for the eye, and half the bytes of 255
BRIGHTEST_SHARE = 99.8  # percentile of the positive scores at which the scale ends
MOST_VOXELS = 800_000  # of a volume; larger ones keep every second voxel along each axis
MARGIN = 1  # voxels around the brain
# The threshold behind the tables' Dice, and what stands in for it on test sets whose validation subjects have no lesion.
THRESHOLDS = (VALIDATION, HEALTHY_FPR_1)
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
        chosen = [threshold(path) for path in method_tables]
        steps = [step_of(store, cases, value) for store, (_, value) in zip(maps, chosen, strict=True)]
        shown = {
            "title": block_title(*(maps[0].attributes[key] for key in ("cohort", "modality", "testset"))) if maps else "",
            "testset": maps[0].attributes["testset"] if maps else "",
            "spacing": [float(side) for side in pack.spacing_mm] if len(pack) else [1.0] * 3,
            "processed": bool(sizes.erosion or sizes.median),
            "minComponent": sizes.min_component,
            "levels": LEVELS,
            "methods": [
                _method(store, named, value, step) for store, (named, value), step in zip(maps, chosen, steps, strict=True)
            ],
            "cases": [_case(case, pack, maps, own, steps, sizes) for case in cases],
        }
    with complete(out) as partial:
        partial.write_text(json.dumps(shown, allow_nan=False), encoding="utf-8")


def threshold(table: Path) -> tuple[Protocol | None, float]:
    """Return the threshold behind the tables' Dice with its protocol, or what stands in for it; None and NaN without either."""
    rows = [row for row in read(table) if row["metric"] == THRESHOLD.name and not row["sample"]]
    known = {row["protocol"]: float(row["value"]) for row in rows}
    for protocol in THRESHOLDS:
        if math.isfinite(known.get(protocol.name, math.nan)):
            return protocol, known[protocol.name]
    return None, math.nan


def step_of(maps: Maps, cases: Sequence[Case], cut: float) -> float:
    """Return the width of a level for all cases of a method, such that a threshold is a whole number of them.

    Args:
        cut: the threshold; NaN for none.
    """
    volumes = [maps.anomaly_map(maps.row(SPLIT, case.name)) for case in cases]
    tops = [float(np.percentile(volume[volume > 0], BRIGHTEST_SHARE)) for volume in volumes if (volume > 0).any()]
    step = max(tops, default=1.0) / LEVELS
    if not (math.isfinite(cut) and cut > 0):
        return step
    return cut / min(max(round(cut / step), 1), LEVELS - 1)


def as_levels(scores: np.ndarray, step: float) -> np.ndarray:
    """Return scores as levels (uint8): level k holds what lies above k − 1 and not above k steps, 0 what is not above 0."""
    # rounded first, or a score that is a whole number of steps could fall above it by the error of the division
    return np.clip(np.ceil(np.round(scores / step, 6)), 0, LEVELS).astype(np.uint8)


def _method(maps: Maps, protocol: Protocol | None, cut: float, step: float) -> Shown:
    known = protocol is not None and cut >= 0
    return {
        "name": maps.attributes["method"],
        "seed": maps.attributes["seed"],
        "step": step,
        "cut": round(cut / step) if known else None,
        "cutTitle": protocol.title if protocol is not None and known else "",
    }


def _case(case: Case, pack: Pack, maps: Sequence[Maps], own: Sequence[Numbers], steps: Sequence[float], sizes: Sizes) -> Shown:
    sample = pack.sample(pack.names.index(case.name))
    scored = erode(sample.brain, sizes.erosion)
    box = bounding_box(sample.brain | sample.lesion, MARGIN)
    stride = 1 if scored[box].size <= MOST_VOXELS else 2
    part = tuple(slice(side.start, side.stop, stride) for side in box)
    lesion = np.where(sample.lesion, np.where(scored, INSIDE, OUTSIDE), 0)[part]
    made = []
    for store, numbers, step in zip(maps, own, steps, strict=True):
        raw = store.anomaly_map(store.row(SPLIT, case.name))
        after = processed(raw, sample.brain, scored, sizes, store)
        made.append(
            {
                "raw": packed(as_levels(np.where(sample.brain, raw, 0)[part], step)),
                "scored": packed(as_levels(after[part], step)) if sizes.erosion or sizes.median else None,
                "number": f"{case.measured} {numbers.describe(case) or 'unknown'}",
                "remark": remark(after[scored]),
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


def processed(raw: np.ndarray, brain: np.ndarray, scored: np.ndarray, sizes: Sizes, maps: Maps) -> np.ndarray:
    """Return a map (S, H, W) as it is scored: inside the eroded brain, after the median filter; 0 elsewhere."""
    if sizes.median <= 1:
        return np.where(scored, raw, 0)
    code = ScoreCode(maps.levels)
    return np.where(scored, to_scores(score_inside(coded(raw, brain, code), scored, sizes.median), code), 0)


def remark(scores: np.ndarray) -> str:
    """Return what a reader should know of a map that shows nothing; empty for any other.

    Args:
        scores: of the voxels of the brain.
    """
    if not scores.size or scores.max() <= 0:
        return "every score is 0: the map is empty"
    if np.ptp(scores) == 0:
        return "every score is the same: the map tells no voxel from another"
    return ""


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
