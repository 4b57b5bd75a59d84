from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from madad.evaluation.metrics.ordinal_scores import count, to_ordinals
from madad.evaluation.metrics.voxel_metrics import (
    auroc,
    average_precision,
    confusion,
    dice_curve,
    partial_auroc,
    precision_at_recall,
    prevalence,
)
from madad.evaluation.protocol.metric_values import voxel_values


def sample(seed: int, voxels: int = 400, levels: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties, and a reference that holds at least one voxel of each kind."""
    generator = np.random.default_rng(seed)
    scores = np.round(generator.random(voxels) * levels).astype(np.float16) / 64
    reference = generator.random(voxels) < 0.2 * scores + 0.05
    reference[:2] = [True, False]
    return scores, reference


def counted(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return count(to_ordinals(scores), reference)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_ranking_metrics_equal_scikit_learn(seed: int) -> None:
    scores, reference = sample(seed)
    counts = counted(scores, reference)
    assert average_precision(counts) == pytest.approx(sklearn.average_precision_score(reference, scores), abs=1e-12)
    assert auroc(counts) == pytest.approx(sklearn.roc_auc_score(reference, scores), abs=1e-12)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000))
def test_dice_curve_equals_brute_force(seed: int) -> None:
    scores, reference = sample(seed, voxels=60)
    curve = dice_curve(counted(scores, reference))
    for value in np.unique(scores):
        expected = sklearn.f1_score(reference, scores > value, zero_division=0)
        assert curve[int(to_ordinals(value)) + 1] == pytest.approx(expected)
    assert curve[0] == pytest.approx(sklearn.f1_score(reference, np.ones_like(reference)))


def test_oracle_map_is_perfect() -> None:
    reference = np.array([True, False, False, True])
    counts = counted(reference * 1.0, reference)
    assert (average_precision(counts), auroc(counts), dice_curve(counts).max()) == (1, 1, 1)


def test_constant_map_scores_the_prevalence() -> None:
    counts = counted(np.ones(10), np.arange(10) < 3)
    assert average_precision(counts) == pytest.approx(0.3)
    assert auroc(counts) == pytest.approx(0.5)


@pytest.mark.parametrize("metric", [average_precision, auroc])
def test_nothing_to_rank_is_nan(metric) -> None:
    assert np.isnan(metric(counted(np.ones(4), np.zeros(4, dtype=bool))))


def test_auroc_without_healthy_voxels_is_nan() -> None:
    assert np.isnan(auroc(counted(np.ones(4), np.ones(4, dtype=bool))))


def test_many_at_once_equal_one_by_one() -> None:
    both = np.stack([counted(*sample(seed)) for seed in (1, 2)])
    for metric in (average_precision, auroc):
        assert metric(both) == pytest.approx([float(metric(both[0])), float(metric(both[1]))])


def test_precision_at_recall_is_the_upper_envelope() -> None:
    scores, reference = sample(3)
    precision, recall, _ = sklearn.precision_recall_curve(reference, scores)
    wanted = [precision[:-1][recall[:-1] >= level].max() for level in (0.1, 0.5, 1.0)]
    assert precision_at_recall(counted(scores, reference), np.array([0.1, 0.5, 1.0])) == pytest.approx(wanted)


def test_confusion_counts_every_voxel_once() -> None:
    cells = confusion(np.array([1, 1, 0, 0], dtype=bool), np.array([1, 0, 1, 0], dtype=bool))
    assert (cells.tp, cells.fp, cells.fn, cells.tn) == (1, 1, 1, 1)
    values = voxel_values(cells)
    assert {name: values[name] for name in ("dice", "precision", "sensitivity", "false_positive_rate")} == {
        "dice": 0.5,
        "precision": 0.5,
        "sensitivity": 0.5,
        "false_positive_rate": 0.5,
    }


@pytest.mark.parametrize(
    ("prediction", "reference", "dice"),
    [([0, 0], [0, 0], 1.0), ([0, 0], [0, 1], 0.0), ([1, 0], [0, 0], 0.0), ([1, 0], [1, 0], 1.0)],
)
def test_dice_of_empty_masks_is_declared(prediction: list, reference: list, dice: float) -> None:
    cells = confusion(np.array(prediction, dtype=bool), np.array(reference, dtype=bool))
    assert voxel_values(cells)["dice"] == dice


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([3, 40, 60_000]))
def test_partial_auroc_equals_scikit_learn(seed: int, levels: int) -> None:
    scores, reference = sample(seed, levels=levels)
    expected = sklearn.roc_auc_score(reference, scores, max_fpr=0.05)
    assert partial_auroc(counted(scores, reference)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "reference", "expected"), [([0, 0, 1], [0, 0, 1], 1), ([0, 1], [0, 0], np.nan), ([], [], np.nan)]
)
def test_partial_auroc_of_the_perfect_and_of_the_empty(scores: list, reference: list, expected: float) -> None:
    counts = counted(np.array(scores, dtype=np.float16), np.array(reference, dtype=bool))
    assert partial_auroc(counts) == pytest.approx(expected, nan_ok=True)
    assert partial_auroc(counts[:, counts.any(axis=0)]) == pytest.approx(expected, nan_ok=True)


def test_prevalence_is_the_precision_of_guessing() -> None:
    reference = np.array([True, False, False, False])
    counts = counted(np.zeros(4, dtype=np.float16), reference)
    assert prevalence(counts) == 0.25 == average_precision(counts)
    assert np.isnan(prevalence(counts[:, :0]))


def test_voxels_outside_are_counted_by_their_number() -> None:
    prediction, reference = np.array([[1, 0], [0, 0]], dtype=bool), np.array([[0, 1], [0, 0]], dtype=bool)
    assert confusion(prediction, reference, voxels=3).tn == 1
    assert confusion(prediction, reference) == confusion(prediction.ravel(), reference.ravel())
