"""Maps as they are scored, with the threshold that the tables are about, and in words what a map does not show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from madad.core.io.hdf5 import Maps
from madad.evaluation.metrics.ordinal_scores import ScoreCode, to_scores
from madad.evaluation.protocol.postprocessing import Sizes, coded, erode, remove_small, score_inside, sizes_of
from madad.evaluation.results.long_table import read
from madad.evaluation.results.metric_table import THRESHOLD
from madad.evaluation.results.protocol_table import HEALTHY_FPR_1, VALIDATION, Protocol
from madad.reporting.galleries.cases import SPLIT, Case

# The threshold behind the tables' Dice, and what stands in for it on test sets whose validation subjects have no lesion.
THRESHOLDS = (VALIDATION, HEALTHY_FPR_1)
EMPTY, FLAT, NOISE = "every score is 0", "every score is the same", "noise: neighbours unrelated"
# Correlation of neighbouring voxels below which a map is noise; what a network makes of an image lies far above.
UNRELATED = 0.1


@dataclass(frozen=True)
class ShownMap:
    """The map of one sample.

    Attributes:
        raw: as it is stored (S, H, W).
        scored: as it is scored: inside the eroded brain, after the median filter; 0 elsewhere.
        above: what lies above the threshold of the tables, without small components; None where there is no threshold.
        remark: in words, that a map shows nothing; empty for any other.
    """

    raw: np.ndarray
    scored: np.ndarray
    above: np.ndarray | None
    remark: str


@dataclass(frozen=True)
class ScoredMaps:
    """The maps of one method on one test set.

    Attributes:
        maps: of the evaluation.
        protocol, cut: its threshold; None and NaN without one.
        sizes: of the post-processing.
    """

    maps: Maps
    protocol: Protocol | None
    cut: float
    sizes: Sizes

    @classmethod
    def of(cls, maps: Maps, table: Path, scoring: Mapping[str, Any]) -> ScoredMaps:
        """Return the maps of an evaluation.

        Args:
            maps: open.
            table: its long table.
            scoring: `erosion`, `median` and `min_component` of the evaluation.
        """
        return cls(maps, *threshold(table), sizes_of(dict(scoring)))

    @property
    def processed(self) -> bool:
        """Whether a map is scored otherwise than it is stored."""
        return bool(self.sizes.erosion or self.sizes.median)

    def raw(self, case: Case) -> np.ndarray:
        """Return the map of a case as it is stored (S, H, W)."""
        return self.maps.anomaly_map(self.maps.row(SPLIT, case.name))

    def shown(self, case: Case, brain: np.ndarray) -> ShownMap:
        """Return what is shown of a case.

        Args:
            brain: (S, H, W) bool.
        """
        raw, inside = self.raw(case), erode(brain, self.sizes.erosion)
        scored = processed(raw, brain, inside, self.sizes, self.maps)
        known = self.protocol is not None and math.isfinite(self.cut)
        above = remove_small((scored > self.cut) & inside, self.sizes.min_component) if known else None
        return ShownMap(raw, scored, above, remark(scored, inside))


def threshold(table: Path) -> tuple[Protocol | None, float]:
    """Return the threshold behind the tables' Dice with its protocol, or what stands in for it; None and NaN without either."""
    rows = [row for row in read(table) if row["metric"] == THRESHOLD.name and not row["sample"]]
    known = {row["protocol"]: float(row["value"]) for row in rows}
    for protocol in THRESHOLDS:
        if math.isfinite(known.get(protocol.name, math.nan)):
            return protocol, known[protocol.name]
    return None, math.nan


def processed(raw: np.ndarray, brain: np.ndarray, scored: np.ndarray, sizes: Sizes, maps: Maps) -> np.ndarray:
    """Return a map (S, H, W) as it is scored: inside the eroded brain, after the median filter; 0 elsewhere."""
    if sizes.median <= 1:
        return np.where(scored, raw, 0)
    code = ScoreCode(maps.levels)
    return np.where(scored, to_scores(score_inside(coded(raw, brain, code), scored, sizes.median), code), 0)


def remark(scores: np.ndarray, inside: np.ndarray) -> str:
    """Return what a reader should know of a map that shows nothing: it is empty, flat or noise; empty for any other.

    Args:
        scores: (S, H, W).
        inside: where it is scored, of the same shape.
    """
    own = scores[inside]
    if not own.size or own.max() <= 0:
        return EMPTY
    if np.ptp(own) == 0:
        return FLAT
    pairs = inside[..., 1:] & inside[..., :-1]
    left, right = scores[..., :-1][pairs], scores[..., 1:][pairs]
    if left.size < 3 or not left.std() or not right.std():
        return ""
    return NOISE if np.corrcoef(left, right)[0, 1] < UNRELATED else ""
