"""Scores of single maps are those of the libraries, at any scale of the map."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from madad.core.errors import UserError
from madad.detection import scoring

SHAPE = (6, 8, 10)
BRAIN = np.zeros(SHAPE, dtype=bool)
BRAIN[1:5, 1:7, 1:9] = True
LESION = np.zeros(SHAPE, dtype=bool)
LESION[2:4, 2:4, 2:5] = True
# exact in binary, so that a shift keeps every tie
MAP = (np.random.default_rng(0).integers(0, 20, SHAPE) + 8 * LESION) / 32


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e9, 0.0), (2.0**-30, 0.0), (1.0, -128.0)])
def test_order_is_all_that_counts(scale: float, shift: float) -> None:
    plain = scoring.score(MAP, LESION, BRAIN, (2, 2, 2))
    assert scoring.score(scale * MAP + shift, LESION, BRAIN, (2, 2, 2)) == pytest.approx(plain)


def test_the_best_dice_is_that_of_the_best_threshold() -> None:
    cuts = [-1.0, *np.unique(MAP[BRAIN])]
    best = max(f1_score(LESION[BRAIN], MAP[BRAIN] > cut) for cut in cuts)
    assert scoring.best_dice(LESION[BRAIN], MAP[BRAIN]) == pytest.approx(best)


def test_a_perfect_map_is_perfect_within_the_brain_alone() -> None:
    outside = np.where(BRAIN, LESION, 5.0)
    found = scoring.score(outside, LESION, BRAIN, (2, 2, 2), threshold=0.5)
    for key in ("auprc", "auroc", "dice_best", "dice", "sensitivity", "precision", "nsd_2mm", "lesion_sensitivity"):
        assert found[key] == 1.0, key
    assert found["hd95"] == found["false_positive_components"] == 0
    assert found["lesion_ml"] == found["predicted_ml"] == pytest.approx(LESION.sum() * 8 / 1000)


def test_a_healthy_subject_has_no_score_that_needs_a_lesion() -> None:
    found = scoring.score(MAP, np.zeros(SHAPE), BRAIN, (2, 2, 2), threshold=0.5)
    assert all(np.isnan(found[key]) for key in ("auprc", "auroc", "dice_best", "hd95", "lesion_sensitivity"))
    assert 0 < found["false_positive_rate"] < 1 and found["prevalence"] == 0


@pytest.mark.parametrize(
    ("anomaly_map", "says"),
    [(MAP[1:], "three 3D arrays on one grid"), (np.where(LESION, np.nan, MAP), "NaN or infinite in 12 voxels of the brain")],
)
def test_arrays_that_cannot_be_compared_are_refused(anomaly_map: np.ndarray, says: str) -> None:
    with pytest.raises(UserError, match=says):
        scoring.score(anomaly_map, LESION, BRAIN, (2, 2, 2))
