from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from madad.evaluation.scores import to_ordinals
from madad.evaluation.subject_metrics import rank_auroc, subject_scores


def test_scores_are_means_and_percentiles_of_the_brain() -> None:
    scores = np.arange(101, dtype=np.float16)
    assert subject_scores(to_ordinals(scores)) == {"mean": 50, "p99": 99}


def test_no_brain_no_score() -> None:
    assert np.isnan(subject_scores(np.array([], dtype=np.uint16))["mean"])


def test_rank_auroc_equals_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    healthy, lesion = generator.random(9).round(1), (generator.random(7) + 0.2).round(1)
    expected = roc_auc_score([0] * 9 + [1] * 7, np.concatenate([healthy, lesion]))
    assert rank_auroc(healthy, lesion) == pytest.approx(expected)


def test_rank_auroc_needs_both_groups() -> None:
    assert np.isnan(rank_auroc(np.array([]), np.array([1.0])))
