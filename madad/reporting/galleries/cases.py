"""Which cases are shown, by rule: best, median and worst by AUPRC, and the healthy subject with the median score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from madad.core.io.hdf5 import Maps, Pack
from madad.evaluation.results.long_table import read
from madad.evaluation.results.metric import Metric
from madad.evaluation.results.metric_table import AUPRC, FALSE_POSITIVE_RATE, SUBJECT_SCORE
from madad.evaluation.results.protocol_table import HEALTHY_FPR_1, P99, PER_SUBJECT, Protocol
from madad.reporting.layout.image_grid import box_of, shape_of, turned

SPLIT = "test"
HEALTHY = "healthy"
# What healthy subjects are ranked by: their bright false alarms, which the mean of a brain hides.
HEALTHY_SCORE = P99
# The threshold whose false positives are reported for a healthy subject.
HEALTHY_PROTOCOL = HEALTHY_FPR_1
ALARMS = 0.01  # share of a healthy brain's voxels, the highest, by which its slice is chosen
RULE = "Slices: with the largest lesion area; in the healthy subject, with most of its highest 1 % of scores."


@dataclass(frozen=True)
class Case:
    """One sample of the test pack and why it is shown.

    Attributes:
        why: best, median, worst, only or healthy.
        name: of the sample.
        auprc: its own, or the mean over methods; NaN when it is healthy.
        number: how many it was chosen from.
    """

    why: str
    name: str
    auprc: float = np.nan
    number: int = 1

    @property
    def reason(self) -> str:
        """Why it is shown, in words."""
        if self.why == HEALTHY:
            return f"healthy, median of {self.number}" if self.number > 1 else "the only healthy one"
        return f"{self.why} of {self.number}" if self.number > 1 else "the only one"

    @property
    def measured(self) -> str:
        """What its number is."""
        return "FPR" if self.why == HEALTHY else "AUPRC"


@dataclass(frozen=True)
class Numbers:
    """What the long table of one evaluation says of single samples."""

    auprc: Mapping[str, float]
    healthy_score: Mapping[str, float]
    false_positives: Mapping[str, float]

    @classmethod
    def of(cls, metrics: Path) -> Numbers:
        """Read the numbers of one evaluation."""
        rows = read(metrics)

        def chosen(metric: Metric, protocol: Protocol, group: str = "") -> dict[str, float]:
            wanted = [row for row in rows if (row["metric"], row["protocol"]) == (metric.name, protocol.name)]
            return {row["sample"]: float(row["value"]) for row in wanted if group in ("", row["group"])}

        scores = chosen(SUBJECT_SCORE, HEALTHY_SCORE, HEALTHY)
        return cls(chosen(AUPRC, PER_SUBJECT), scores, chosen(FALSE_POSITIVE_RATE, HEALTHY_PROTOCOL, HEALTHY))

    def describe(self, case: Case) -> str:
        """Return the number to write beside a case: AUPRC, or the share of false positives when it is healthy; empty for none."""
        if case.why != HEALTHY:
            return f"{self.auprc[case.name]:.2f}"
        share = self.false_positives.get(case.name, np.nan)
        return f"{100 * share:.1f} %" if np.isfinite(share) else ""


def choose_cases(auprc: Mapping[str, float]) -> list[Case]:
    """Return best, median and worst sample; fewer when there are fewer samples. Equal values are ordered by name."""
    ranked = sorted(((value, name) for name, value in auprc.items() if np.isfinite(value)), key=lambda pair: (-pair[0], pair[1]))
    places = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    chosen: dict[int, Case] = {}
    for why in ("best", "worst", "median") if ranked else ():
        value, name = ranked[places[why]]
        chosen.setdefault(places[why], Case(why, name, value, len(ranked)))
    cases = [chosen[place] for place in sorted(chosen)]
    return cases if len(cases) != 1 else [replace(cases[0], why="only")]


def healthy_case(scores: Sequence[Mapping[str, float]]) -> list[Case]:
    """Return the healthy sample with the median score, or median rank under several methods; none without such samples."""
    ranks = pd.DataFrame(list(scores)).rank(axis=1).mean(axis=0)
    ranked = sorted((rank, str(name)) for name, rank in ranks.dropna().items())
    return [Case(HEALTHY, ranked[len(ranked) // 2][1], number=len(ranked))] if ranked else []


def lesion_slice(lesion: np.ndarray, brain: np.ndarray) -> int:
    """Return the slice with the largest lesion area; without a lesion the middle of the brain's slices.

    Args:
        lesion, brain: (S, H, W) bool.
    """
    areas = lesion.sum(axis=(1, 2))
    if areas.any():
        return int(np.argmax(areas))
    inside = np.flatnonzero(brain.any(axis=(1, 2)))
    return int(inside[len(inside) // 2]) if inside.size else lesion.shape[0] // 2


def alarm_slice(maps: Sequence[np.ndarray], brain: np.ndarray) -> int:
    """Return the slice with most of the brain's highest 1 % of scores, counted over all maps; the middle one for equal scores.

    Args:
        maps: (S, H, W) each, of several methods.
        brain: (S, H, W) bool.
    """
    alarms = np.zeros(brain.shape[0])
    for scores in maps:
        if brain.any() and np.ptp(scores[brain]) > 0:
            alarms += ((scores > np.quantile(scores[brain], 1 - ALARMS)) & brain).sum(axis=(1, 2))
    return int(np.argmax(alarms)) if alarms.any() else lesion_slice(np.zeros_like(brain), brain)


@dataclass(frozen=True)
class View:
    """One slice of a sample, cut to the brains of all cases and turned for display."""

    index: int
    box: tuple[slice, slice]
    image: np.ndarray
    lesion: np.ndarray

    def cut(self, volume: np.ndarray) -> np.ndarray:
        """Return the slice of a volume (S, H, W)."""
        return turned(volume, self.index, self.box)


def views(pack: Pack, cases: Sequence[Case], predictions: Sequence[Maps]) -> tuple[list[View], float]:
    """Return what to show of every case, and the height of the pictures over their width."""
    samples = [pack.sample(pack.names.index(case.name)) for case in cases]
    box = box_of([sample.brain for sample in samples])
    shown = []
    for case, sample in zip(cases, samples, strict=True):
        if case.why == HEALTHY:
            index = alarm_slice([maps.anomaly_map(maps.row(SPLIT, case.name)) for maps in predictions], sample.brain)
        else:
            index = lesion_slice(sample.lesion, sample.brain)
        shown.append(View(index, box, turned(sample.image, index, box), turned(sample.lesion, index, box)))
    return shown, shape_of(box, pack.shape[1:])


def opened_test_pack(paths: Sequence[Path]) -> Pack:
    """Open the test pack among several.

    Raises:
        ValueError: there is none.
    """
    for path in paths:
        pack = Pack(path)
        if pack.split == SPLIT:
            return pack
        pack.__exit__(None, None, None)
    raise ValueError(f"none of {', '.join(map(str, paths))} is a test pack")
