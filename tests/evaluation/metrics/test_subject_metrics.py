from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from madad.evaluation.metrics.ordinal_scores import to_ordinals
from madad.evaluation.metrics.subject_metrics import rank_auroc
from madad.evaluation.protocol.metric_values import detection_values
from madad.evaluation.results.protocol_table import subject_scores


def test_scores_are_means_and_percentiles_of_the_brain() -> None:
    scores = np.arange(101, dtype=np.float16)
    assert subject_scores(to_ordinals(scores)) == {"mean": 50, "p99": 99, "max": 100, "top100": 50.5}


def test_few_voxels_are_all_the_top() -> None:
    assert subject_scores(to_ordinals(np.array([1.0, 3.0], dtype=np.float16)))["top100"] == 2


def test_no_brain_no_score() -> None:
    assert np.isnan(subject_scores(np.array([], dtype=np.uint16))["mean"])


def test_rank_auroc_equals_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    healthy, lesion = generator.random(9).round(1), (generator.random(7) + 0.2).round(1)
    expected = roc_auc_score([0] * 9 + [1] * 7, np.concatenate([healthy, lesion]))
    assert rank_auroc(healthy, lesion) == pytest.approx(expected)


def test_rank_auroc_needs_both_groups() -> None:
    assert np.isnan(rank_auroc(np.array([]), np.array([1.0])))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 30))
def test_detection_equals_scikit_learn(seed: int, healthy: int, lesion: int) -> None:
    generator = np.random.default_rng(seed)
    scores = np.concatenate([generator.random(healthy), generator.random(lesion) + 0.3]).round(1)
    truth = np.arange(healthy + lesion) >= healthy
    found = detection_values(scores[:healthy], scores[healthy:])
    assert found["subject_auroc"] == pytest.approx(roc_auc_score(truth, scores))
    assert found["subject_ap"] == pytest.approx(average_precision_score(truth, scores))
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    for percent in (90, 95):
        assert found[f"subject_sensitivity_{percent}"] == pytest.approx(true[false <= 1 - percent / 100 + 1e-12].max())


def test_one_in_ten_healthy_above_is_still_90_percent() -> None:
    found = detection_values(np.array([0.0] * 9 + [1.0]), np.array([0.5, 2.0]))
    assert (found["subject_sensitivity_90"], found["subject_sensitivity_95"]) == (1.0, 0.5)


@pytest.mark.parametrize(("healthy", "lesion"), [([], [1.0]), ([1.0], []), ([], [])])
def test_detection_needs_both_groups(healthy: list, lesion: list) -> None:
    found = detection_values(np.array(healthy), np.array(lesion))
    assert len(found) == 4 and np.isnan(list(found.values())).all()
