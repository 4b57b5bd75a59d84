"""Which cases are shown, by rule: best, median and worst by AUPRC, and the healthy subject with the median score.

Of patients without a reference mask that with the median score is shown as well.
"""

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
from madad.evaluation.results.protocol_table import HEALTHY_FPR_1, P99, PER_SUBJECT, VOLUME, Protocol
from madad.reporting.layout.image_grid import box_of, shape_of, turned

SPLIT = "test"
HEALTHY, UNMARKED = "healthy", "unmarked"
# What subjects without a marked lesion are ranked by: their bright false alarms, which the mean of a brain hides.
SCORE = P99
# The threshold whose false positives are reported for a healthy subject.
HEALTHY_PROTOCOL = HEALTHY_FPR_1
ALARMS = 0.01  # share of a healthy brain's voxels, the highest, by which its slice is chosen
RULE = "Slices: with the largest lesion area; without one, with most of the highest 1 % of scores."


@dataclass(frozen=True)
class Case:
    """One sample of the test pack and why it is shown.

    Attributes:
        why: best, median, worst, only, healthy or unmarked.
        name: of the sample.
        auprc: its own, or the mean over methods; NaN when no lesion is marked.
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
        if self.why == UNMARKED:
            return f"no reference mask, median of {self.number}" if self.number > 1 else "the only one without a reference mask"
        return f"{self.why} of {self.number}" if self.number > 1 else "the only one"

    @property
    def measured(self) -> str:
        """What its number is."""
        return {HEALTHY: "FPR", UNMARKED: "volume"}.get(self.why, "AUPRC")


@dataclass(frozen=True)
class Numbers:
    """What the long table of one evaluation says of single samples."""

    auprc: Mapping[str, float]
    healthy_score: Mapping[str, float]
    false_positives: Mapping[str, float]
    unmarked_score: Mapping[str, float]
    volume_ml: Mapping[str, float]

    @classmethod
    def of(cls, metrics: Path) -> Numbers:
        """Read the numbers of one evaluation."""
        rows = read(metrics)

        def chosen(metric: Metric, protocol: Protocol, group: str = "") -> dict[str, float]:
            wanted = [row for row in rows if (row["metric"], row["protocol"]) == (metric.name, protocol.name)]
            return {row["sample"]: float(row["value"]) for row in wanted if group in ("", row["group"])}

        auprc, scores, healthy = chosen(AUPRC, PER_SUBJECT), chosen(SUBJECT_SCORE, SCORE), chosen(SUBJECT_SCORE, SCORE, HEALTHY)
        unmarked = {name: score for name, score in scores.items() if name not in auprc and name not in healthy}
        alarms = chosen(FALSE_POSITIVE_RATE, HEALTHY_PROTOCOL, HEALTHY)
        return cls(auprc, healthy, alarms, unmarked, chosen(SUBJECT_SCORE, VOLUME))

    def describe(self, case: Case) -> str:
        """Return the number to write beside a case, empty for none.

        It is the AUPRC; of a healthy one the share of false positives, and without a reference mask the volume above the same
        threshold.
        """
        if case.why == UNMARKED:
            volume = self.volume_ml.get(case.name, np.nan)
            return f"{volume:.3g} ml" if np.isfinite(volume) else ""
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


def cases_of(numbers: Sequence[Numbers]) -> list[Case]:
    """Return every case to show: by the mean AUPRC over methods, then a healthy one and one without a reference mask."""
    mean = pd.DataFrame([own.auprc for own in numbers]).mean(axis=0).to_dict()
    healthy = median_case(HEALTHY, [own.healthy_score for own in numbers])
    return [*choose_cases(mean), *healthy, *median_case(UNMARKED, [own.unmarked_score for own in numbers])]


def median_case(why: str, scores: Sequence[Mapping[str, float]]) -> list[Case]:
    """Return the sample with the median score, or median rank under several methods; none without samples."""
    ranks = pd.DataFrame(list(scores)).rank(axis=1).mean(axis=0)
    ranked = sorted((rank, str(name)) for name, rank in ranks.dropna().items())
    return [Case(why, ranked[len(ranked) // 2][1], number=len(ranked))] if ranked else []


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
    """One slice of a sample, cut to the brains of all cases and turned for display; `brain` is of the whole sample (S, H, W)."""

    index: int
    box: tuple[slice, slice]
    image: np.ndarray
    lesion: np.ndarray
    brain: np.ndarray

    def cut(self, volume: np.ndarray) -> np.ndarray:
        """Return the slice of a volume (S, H, W)."""
        return turned(volume, self.index, self.box)


def views(pack: Pack, cases: Sequence[Case], predictions: Sequence[Maps]) -> tuple[list[View], float]:
    """Return what to show of every case, and the height of the pictures over their width."""
    samples = [pack.sample(pack.names.index(case.name)) for case in cases]
    box = box_of([sample.brain for sample in samples])
    shown = []
    for case, sample in zip(cases, samples, strict=True):
        if case.why in (HEALTHY, UNMARKED):
            index = alarm_slice([maps.anomaly_map(maps.row(SPLIT, case.name)) for maps in predictions], sample.brain)
        else:
            index = lesion_slice(sample.lesion, sample.brain)
        shown.append(View(index, box, turned(sample.image, index, box), turned(sample.lesion, index, box), sample.brain))
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
