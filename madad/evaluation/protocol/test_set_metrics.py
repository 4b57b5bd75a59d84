"""Numbers of a whole test set: pooled voxel metrics with intervals over subjects, detection of subjects, curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from madad.evaluation.metrics.ordinal_scores import ScoreCode, to_scores
from madad.evaluation.metrics.thresholds import NO_LESION_TEST, NO_LESION_VALIDATION, Choice, Evidence, reason_code
from madad.evaluation.metrics.voxel_metrics import dice_curve, precision_at_recall
from madad.evaluation.protocol.inputs import HEALTHY, UNKNOWN
from madad.evaluation.protocol.metric_values import detection_values
from madad.evaluation.results.long_table import WHOLE_TEST_SET, LongTable, SampleIdentity
from madad.evaluation.results.metric import Metric
from madad.evaluation.results.metric_table import (
    DICE_POOLED,
    NO_VALUE,
    PRECISION_AT_RECALL,
    SUBJECT_AUROC,
    VOXEL_SHARE_HEALTHY,
    VOXEL_SHARE_LESION,
    of_family,
)
from madad.evaluation.results.protocol_table import POOLED, PUBLISHED, RECALL_POINT, SCORE_POINT
from madad.evaluation.statistics.intervals import auroc_interval, jackknife_interval

# Resamples of pooled metrics work on this many groups of scores; the metric itself is exact.
GROUPS = 512
RECALLS = np.linspace(0, 1, 51)
HISTOGRAM_BINS = 60
HISTOGRAM_QUANTILE = 0.999


def add_pooled(
    subjects: Sequence[str],
    coarse: Sequence[np.ndarray],
    counts: np.ndarray,
    choices: Mapping[str, Choice],
    table: LongTable,
    code: ScoreCode,
) -> None:
    """Add voxel metrics that belong to no single subject.

    Args:
        subjects: of the test samples with a lesion.
        coarse: their counts (2, groups) by `madad.evaluation.metrics.ordinal_scores.coarse_groups`.
        counts: (2, bins) pooled over them.
        choices: thresholds by protocol.
        code: of the scores.
    """
    stacked = np.stack(coarse) if coarse else np.zeros((0, 2, 1))
    for metric in (metric for metric in of_family("ranking") if metric.resampled):
        sizes = stacked[:, 1].sum(axis=1)
        drawn = jackknife_interval(_weighted(metric, stacked), subjects, metric.scale, sizes)
        table.add_all(WHOLE_TEST_SET, POOLED.name, {metric.name: metric.value(counts), **_bounds(metric, drawn.low, drawn.high)})
    curve = dice_curve(counts)
    for protocol, choice in choices.items():
        value = np.nan if choice.ordinal is None else float(curve[choice.ordinal + 1])
        table.add(WHOLE_TEST_SET, protocol, DICE_POOLED.name, value)
    if subjects:
        _add_curves(counts, table, code)


def _bounds(metric: Metric, low: float, high: float) -> dict[str, float]:
    return {metric.bound("low").name: low, metric.bound("high").name: high}


def _weighted(metric: Metric, coarse: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a metric of weighted samples; its function takes counts (R, 2, groups)."""

    def statistic(weights: np.ndarray) -> np.ndarray:
        mixed = weights @ coarse.reshape(len(coarse), -1)
        return metric.values(mixed.reshape(len(weights), *coarse.shape[1:]))

    return statistic


def add_detection(tested: Sequence[SampleIdentity], scores: Mapping[str, Sequence[float]], table: LongTable) -> None:
    """Add how well each subject score separates the healthy from patients.

    Samples without a score, and those of whom nobody knows whether they are healthy, are left out.

    Args:
        tested: the test samples.
        scores: (N,) of each reduction.
    """
    healthy, unknown = (np.array([one.group == group for one in tested], dtype=bool) for group in (HEALTHY, UNKNOWN))
    diseased = ~healthy & ~unknown
    subjects = np.array([one.subject for one in tested], dtype=object)
    for reduction, values in scores.items():
        values = np.asarray(values, dtype=np.float64)
        there = np.isfinite(values)
        found = detection_values(values[there & healthy], values[there & diseased])
        groups = (len(set(subjects[there & ill])) for ill in (healthy, diseased))
        bounds = auroc_interval(found[SUBJECT_AUROC.name], *groups)
        table.add_all(WHOLE_TEST_SET, reduction, found | _bounds(SUBJECT_AUROC, *bounds))


def add_reasons(choices: Mapping[str, Choice], evidence: Evidence, published: bool, table: LongTable) -> None:
    """Add for every protocol why it has no value, 0 where it has one.

    Args:
        choices: thresholds by protocol.
        evidence: what they were chosen on.
        published: whether the method's paper has a protocol.
    """
    reasons = {protocol: choice.reason for protocol, choice in choices.items()}
    if published:
        reasons[PUBLISHED.name] = "" if evidence.validation[1].any() else NO_LESION_VALIDATION
    reasons[POOLED.name] = "" if evidence.test[1].any() else NO_LESION_TEST
    for protocol, reason in reasons.items():
        table.add(WHOLE_TEST_SET, protocol, NO_VALUE.name, reason_code(reason))


def _add_curves(counts: np.ndarray, table: LongTable, code: ScoreCode) -> None:
    """Add points of the pooled precision–recall curve, and the distribution of scores in lesions and in healthy tissue."""
    for recall, precision in zip(RECALLS, precision_at_recall(counts, RECALLS), strict=True):
        table.add(WHOLE_TEST_SET, f"{RECALL_POINT}{recall:.2f}", PRECISION_AT_RECALL.name, float(precision))
    occupied = np.flatnonzero(counts.sum(axis=0))
    scores = to_scores(occupied, code).astype(np.float64)
    shares = counts[:, occupied] / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # Each tissue is seen up to its own high quantile, or a single bright voxel would squeeze everything into one bin.
    last = [np.searchsorted(np.cumsum(share), HISTOGRAM_QUANTILE).clip(max=scores.size - 1) for share in shares]
    upper = float(scores[max(last)])
    # a map of one value has one bin, at any scale
    lower, least = float(scores[0]), max(abs(float(scores[0])), float(np.finfo(np.float32).tiny)) * 1e-6
    edges = np.linspace(lower, max(upper, lower + least), HISTOGRAM_BINS + 1)
    place = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, HISTOGRAM_BINS - 1)
    for metric, share in zip((VOXEL_SHARE_HEALTHY, VOXEL_SHARE_LESION), shares, strict=True):
        binned = np.bincount(place, weights=share, minlength=HISTOGRAM_BINS)
        for centre, value in zip((edges[:-1] + edges[1:]) / 2, binned, strict=True):
            table.add(WHOLE_TEST_SET, f"{SCORE_POINT}{centre:.9g}", metric.name, float(value))
