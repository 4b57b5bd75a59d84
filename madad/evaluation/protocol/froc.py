"""Free-response ROC: lesions found against false-positive components per scan, at all thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from madad.evaluation.metrics.component_tree import Counts, count_at_every_threshold, summed
from madad.evaluation.metrics.thresholds import lowest_with_share_above
from madad.evaluation.protocol.records import Record
from madad.evaluation.results.long_table import WHOLE_TEST_SET, LongTable
from madad.evaluation.results.metric import Metric
from madad.evaluation.results.metric_table import FROC_SENSITIVITY, LESION_SENSITIVITY_IOU
from madad.evaluation.results.protocol_table import FALSE_POSITIVES, FROC_DRAWN, Protocol, froc, froc_point
from madad.evaluation.statistics.intervals import Interval, jackknife_intervals

# The curve ends where half of the voxels of the test set lie above the threshold: what is left then is one component.
LARGEST_SHARE = 0.5
# Intervals work on the thresholds with these shares of voxels above, strictest first; the curve itself is exact.
SHARES = np.append(0, np.geomspace(1e-6, LARGEST_SHARE, 200))


class Responses(NamedTuple):
    """What one scan adds to the curve.

    Attributes:
        counts: of its components and matches at every threshold of the curve.
        lesions: how many it has.
    """

    counts: Counts
    lesions: int


def thresholds(tissue: np.ndarray) -> list[int]:
    """Return the ordinals that intervals are computed on, strictest first, the last that of the end of the curve.

    Args:
        tissue: (2, bins) counts pooled over all test scans; none gives no thresholds.
    """
    voxels = tissue.sum(axis=0)
    return lowest_with_share_above(voxels, SHARES).tolist() if voxels.any() else []


def respond(record: Record, labels: np.ndarray, number: int, lowest: int, min_component: int) -> Responses:
    """Count the false positives of one scan and its lesions found, at every threshold from the highest to the `lowest`.

    A component of fewer than `min_component` voxels is removed. What is found and what is false is that of the one-to-one
    matching of `madad.evaluation.metrics.lesion_detection`, as in F1, precision and the number of false positives.

    Args:
        record: of the scan.
        labels, number: of its lesions, see `madad.evaluation.metrics.lesion_detection.label`.
        lowest: an ordinal.
        min_component: in voxels.
    """
    above = record.brain & (record.inside > lowest)
    return Responses(count_at_every_threshold(record.ordinals, above, min_component, labels, number), number)


def add_froc(cuts: Sequence[int], responses: Sequence[Responses], subjects: Sequence[str], table: LongTable) -> None:
    """Add the sensitivity at given numbers of false positives per scan, and the curve to draw, with intervals.

    The sensitivity is that of all lesions of the test set together, the false positives are averaged over all its scans,
    healthy ones included. Source: Bunch et al. 1978 (doi:10.1117/12.955926); the numbers per scan are those of the LUNA16
    challenge. Intervals are those of the jackknife over subjects, each with its lesions and its false positives, for every
    number of false positives by itself.

    Args:
        cuts: of `thresholds`.
        responses: of every scan whose lesions are known.
        subjects: whose scan each is.
    """
    numbers = np.array([*FALSE_POSITIVES, *FROC_DRAWN])
    lesions = sum(one.lesions for one in responses)
    found, intervals = np.full(numbers.size, np.nan), [Interval(np.nan, np.nan, np.nan, 0)] * numbers.size
    if cuts and lesions:
        components, hits = (falling[::-1] for falling in summed(one.counts for one in responses))
        found = sensitivity_at(numbers, (components - hits) / len(responses), hits / lesions)
        intervals = _intervals(numbers, np.array(cuts), responses, subjects)
    rows: list[tuple[Protocol, Metric]] = [(froc(number), LESION_SENSITIVITY_IOU) for number in FALSE_POSITIVES]
    rows += [(froc_point(number), FROC_SENSITIVITY) for number in FROC_DRAWN]
    for (protocol, metric), value, interval in zip(rows, found, intervals, strict=True):
        bounds = {metric.bound("low").name: interval.low, metric.bound("high").name: interval.high}
        table.add_all(WHOLE_TEST_SET, protocol.name, {metric.name: value, **bounds})


def _intervals(numbers: np.ndarray, cuts: np.ndarray, responses: Sequence[Responses], subjects: Sequence[str]) -> list[Interval]:
    """Return the 95 % interval over subjects of the sensitivity at each number of false positives per scan."""
    at = [one.counts.at(cuts) for one in responses]
    alarms, hits = (np.stack(each) for each in zip(*((one.false_positives, one.matched) for one in at), strict=True))
    lesions = np.array([one.lesions for one in responses])

    def statistic(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            curves = weights @ alarms / weights.sum(axis=1)[:, None], weights @ hits / (weights @ lesions)[:, None]
        return np.stack([sensitivity_at(numbers, *curve) for curve in zip(*curves, strict=True)])

    # subjects with many lesions decide: the effective number of subjects is that of their lesions
    return jackknife_intervals(statistic, subjects, LESION_SENSITIVITY_IOU.scale, lesions)


def sensitivity_at(numbers: np.ndarray, false_positives: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
    """Return the sensitivity of a curve at numbers of false positives per scan.

    It is the highest that is reached on the way down to the threshold at which there are first more false positives. Where
    components flow together both their number and that of the matches fall; what was reached before counts. Between
    thresholds, and from (0, 0) to the first, lines are drawn; beyond the last the curve stays where it is.

    Args:
        numbers: (N,) false positives per scan.
        false_positives: (T,) of falling thresholds.
        sensitivity: (T,) at the same thresholds; NaN where there is no lesion.
    """
    if np.isnan(sensitivity).any():
        return np.full(len(numbers), np.nan)
    reached = np.append(0.0, np.maximum.accumulate(false_positives))
    # of points with equally many false positives the last, which is the most sensitive, counts
    last = np.append(np.diff(reached) > 0, True)
    return np.interp(numbers, reached[last], np.append(0.0, np.maximum.accumulate(sensitivity))[last])
