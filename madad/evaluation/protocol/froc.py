"""Free-response ROC: lesions found against false-positive components per scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from madad.evaluation.metrics.connected_components import components
from madad.evaluation.metrics.lesion_detection import detection_ordinals, label
from madad.evaluation.metrics.thresholds import healthy_quantile
from madad.evaluation.protocol.records import Record
from madad.evaluation.results.long_table import WHOLE_TEST_SET, LongTable
from madad.evaluation.results.metric_table import FROC_FALSE_POSITIVES, FROC_SENSITIVITY, LESION_SENSITIVITY
from madad.evaluation.results.protocol_table import FALSE_POSITIVES, FROC_POINT, froc
from madad.evaluation.statistics.intervals import jackknife_interval

# Shares of healthy-tissue voxels above the thresholds, strictest first.
RATES = tuple(0.08 / 2**step for step in range(13, -1, -1))


class Responses(NamedTuple):
    """What one scan adds to the curve.

    Attributes:
        false_positives: (T,) components that touch no lesion, at every threshold.
        detections: (L,) highest threshold at which each lesion is found.
    """

    false_positives: np.ndarray
    detections: np.ndarray


def thresholds(healthy_tissue: np.ndarray) -> list[int]:
    """Return the ordinals of the curve, strictest first; none without healthy tissue.

    Args:
        healthy_tissue: (2, bins) counts pooled over all test scans; only row 0 is looked at.
    """
    return [healthy_quantile(healthy_tissue, rate) for rate in RATES] if healthy_tissue[0].any() else []


def respond(record: Record, cuts: Sequence[int], min_component: int) -> Responses:
    """Count the false positives of one scan and find the thresholds at which its lesions appear.

    A component of fewer than `min_component` voxels is removed; one that touches any lesion voxel is no false positive.
    Whether a lesion is found is asked of single voxels (`madad.evaluation.metrics.lesion_detection.detection_ordinals`).
    """
    names, number = label(record.reference) if record.reference.any() else (np.zeros((0, 0, 0), np.int32), 0)
    detections = detection_ordinals(record.ordinals[record.brain], names[record.brain], number) if number else np.zeros(0, int)
    false_positives = [_false_components(record.above(cut), record.reference, min_component) for cut in cuts]
    return Responses(np.array(false_positives, dtype=np.int64), detections)


def _false_components(prediction: np.ndarray, reference: np.ndarray, min_component: int) -> int:
    found = components(prediction)
    counted = found.at_least(min_component)
    counted[found.members[reference.ravel()[found.places]]] = False
    return int(np.count_nonzero(counted))


def add_froc(cuts: Sequence[int], responses: Sequence[Responses], subjects: Sequence[str], table: LongTable) -> None:
    """Add the curve, and the sensitivity at given numbers of false positives per scan.

    The sensitivity is that of all lesions of the test set together, the false positives are averaged over all its scans,
    healthy ones included. Between the points of the curve, and from (0, 0) to the first, lines are drawn; beyond the last
    the curve stays where it is. Where false positives flow together their number falls; what was reached before counts.
    Source: Bunch et al. 1978 (doi:10.1117/12.955926); the numbers per scan are those of the LUNA16 challenge. The interval is
    that of the jackknife over subjects, each with its lesions and its false positives.

    Args:
        cuts: of `thresholds`.
        responses: of every scan whose lesions are known.
        subjects: whose scan each is.
    """
    detections = np.concatenate([one.detections for one in responses]) if responses else np.zeros(0)
    false_positives, sensitivity = np.full(len(RATES), np.nan), np.full(len(RATES), np.nan)
    if cuts and detections.size:
        false_positives = np.mean([one.false_positives for one in responses], axis=0)
        sensitivity = np.array([np.mean(detections >= cut) for cut in cuts])
    for point, (number, found) in enumerate(zip(false_positives, sensitivity, strict=True)):
        table.add_all(
            WHOLE_TEST_SET, f"{FROC_POINT}{point:02d}", {FROC_FALSE_POSITIVES.name: number, FROC_SENSITIVITY.name: found}
        )
    for number in FALSE_POSITIVES:
        found = {LESION_SENSITIVITY.name: sensitivity_at(number, false_positives, sensitivity)}
        bounds = _bounds(number, cuts, responses, subjects) if np.isfinite(sensitivity).all() else (np.nan, np.nan)
        found |= {LESION_SENSITIVITY.bound(end).name: bound for end, bound in zip(("low", "high"), bounds, strict=True)}
        table.add_all(WHOLE_TEST_SET, froc(number).name, found)


def _bounds(number: float, cuts: Sequence[int], responses: Sequence[Responses], subjects: Sequence[str]) -> tuple[float, float]:
    """Return the 95 % interval over subjects of the sensitivity at a number of false positives per scan."""
    alarms = np.stack([one.false_positives for one in responses])
    hits = np.array([[np.count_nonzero(one.detections >= cut) for cut in cuts] for one in responses])
    lesions = np.array([one.detections.size for one in responses])

    def statistic(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            curves = zip(
                weights @ alarms / weights.sum(axis=1)[:, None], weights @ hits / (weights @ lesions)[:, None], strict=True
            )
            return np.array([sensitivity_at(number, *curve) for curve in curves])

    # subjects with many lesions decide: the effective number of subjects is that of their lesions
    found = jackknife_interval(statistic, subjects, LESION_SENSITIVITY.scale, lesions)
    return found.low, found.high


def sensitivity_at(number: float, false_positives: np.ndarray, sensitivity: np.ndarray) -> float:
    """Sensitivity of a curve at a number of false positives per scan.

    Args:
        number: false positives per scan.
        false_positives: (T,) of falling thresholds; NaN when there is no curve.
        sensitivity: (T,) at the same thresholds.
    """
    if np.isnan(sensitivity).any():
        return np.nan
    reached = np.append(0.0, np.maximum.accumulate(false_positives))
    # of points with equally many false positives the last, which is the most sensitive, counts
    last = np.append(np.diff(reached) > 0, True)
    places, values = reached[last], np.append(0.0, sensitivity)[last]
    return float(np.interp(number, places, values))
