"""Numbers of a whole test set: pooled voxel metrics with intervals over subjects, detection of subjects, curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from madad.evaluation.bootstrap import percentile_interval
from madad.evaluation.long_table import EVERYBODY, LongTable
from madad.evaluation.scores import Scored, ScoreStore, coarse_groups, count, to_scores
from madad.evaluation.subject_metrics import rank_auroc
from madad.evaluation.thresholds import Choice
from madad.evaluation.voxel_metrics import RANKING, dice_curve, precision_at_recall
from madad.seeds import numpy_generator

# Resamples of pooled metrics work on this many groups of scores; the metric itself is exact.
GROUPS = 512
RECALLS = np.linspace(0, 1, 51)
HISTOGRAM_BINS = 60
HISTOGRAM_QUANTILE = 0.999


def add_pooled(
    tested: Sequence[Scored], store: ScoreStore, counts: np.ndarray, choices: dict[str, Choice], resamples: int, table: LongTable
) -> None:
    """Add what belongs to no single subject.

    Args:
        tested: the test subjects.
        counts: (2, bins) pooled over those with a lesion.
        choices: thresholds by protocol.
        resamples: of the subjects.
    """
    with_lesion = [one for one in tested if one.has_lesion]
    subjects = [one.who.subject for one in with_lesion]
    coarse = _coarse_counts(with_lesion, store, counts)
    seed = "|".join(str(value) for value in table.identity.values())
    for name, metric in RANKING.items():
        statistic = _resampled(metric, coarse)
        drawn = percentile_interval(statistic, float(metric(counts)), subjects, resamples, numpy_generator("pooled", name, seed))
        table.add_all(EVERYBODY, "pooled", {name: drawn.value, f"{name}_low": drawn.low, f"{name}_high": drawn.high})
    curve = dice_curve(counts)
    for protocol, choice in choices.items():
        value = np.nan if choice.ordinal is None else float(curve[choice.ordinal + 1])
        table.add(EVERYBODY, protocol, "dice_pooled", value)
    _add_detection(tested, resamples, seed, table)
    if with_lesion:
        _add_curves(counts, table)


def _coarse_counts(samples: Sequence[Scored], store: ScoreStore, counts: np.ndarray) -> np.ndarray:
    starts = coarse_groups(counts, GROUPS)
    rows = [np.add.reduceat(count(*store.read(one.place)), starts, axis=1) for one in samples]
    return np.stack(rows) if rows else np.zeros((0, 2, starts.size))


def _resampled(metric: Callable[[np.ndarray], np.ndarray], coarse: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    def statistic(weights: np.ndarray) -> np.ndarray:
        mixed = weights.astype(np.float64) @ coarse.reshape(len(coarse), -1)
        return metric(mixed.reshape(len(weights), *coarse.shape[1:]))

    return statistic


def _add_detection(tested: Sequence[Scored], resamples: int, seed: str, table: LongTable) -> None:
    """Subject-level AUROC, healthy against the rest, from the subject scores already in the table."""
    diseased = np.array([one.who.group != "healthy" for one in tested], dtype=bool)
    subjects = [one.who.subject for one in tested]
    rows = [row for row in table.rows if row["metric"] == "subject_score"]
    for reduction in dict.fromkeys(row["protocol"] for row in rows):
        scores = np.array([float(row["value"]) for row in rows if row["protocol"] == reduction])
        won = (scores[:, None] > scores[None, :]) + 0.5 * (scores[:, None] == scores[None, :])

        def statistic(weights: np.ndarray, won: np.ndarray = won) -> np.ndarray:
            lesion, healthy = weights * diseased, weights * ~diseased
            pairs = lesion.sum(axis=1) * healthy.sum(axis=1)
            return np.divide(((lesion @ won) * healthy).sum(axis=1), pairs, out=np.full(len(weights), np.nan), where=pairs > 0)

        value = rank_auroc(scores[~diseased], scores[diseased])
        drawn = percentile_interval(statistic, value, subjects, resamples, numpy_generator("detection", reduction, seed))
        names = ("subject_auroc", "subject_auroc_low", "subject_auroc_high")
        table.add_all(EVERYBODY, reduction, dict(zip(names, (drawn.value, drawn.low, drawn.high), strict=True)))


def _add_curves(counts: np.ndarray, table: LongTable) -> None:
    """Points of the pooled precision–recall curve, and the distribution of scores in lesions and in healthy tissue."""
    for recall, precision in zip(RECALLS, precision_at_recall(counts, RECALLS), strict=True):
        table.add(EVERYBODY, f"pooled_recall_{recall:.2f}", "precision_at_recall", float(precision))
    occupied = np.flatnonzero(counts.sum(axis=0))
    scores = to_scores(occupied.astype(np.uint16)).astype(np.float64)
    shares = counts[:, occupied] / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # Each tissue is seen up to its own high quantile, or a single bright voxel would squeeze everything into one bin.
    last = [np.searchsorted(np.cumsum(share), HISTOGRAM_QUANTILE).clip(max=scores.size - 1) for share in shares]
    upper = float(scores[max(last)])
    edges = np.linspace(min(0.0, scores[0]), max(upper, scores[0] + 1e-6), HISTOGRAM_BINS + 1)
    place = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, HISTOGRAM_BINS - 1)
    for tissue, share in zip(("healthy", "lesion"), shares, strict=True):
        binned = np.bincount(place, weights=share, minlength=HISTOGRAM_BINS)
        for centre, value in zip((edges[:-1] + edges[1:]) / 2, binned, strict=True):
            table.add(EVERYBODY, f"pooled_score_{centre:.6g}", f"voxel_share_{tissue}", float(value))
