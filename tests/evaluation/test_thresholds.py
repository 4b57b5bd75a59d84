from __future__ import annotations

import numpy as np
import pytest

from madad.evaluation.scores import count, no_counts, to_ordinals, to_score
from madad.evaluation.thresholds import Evidence, best_dice, choose, healthy_quantile


def counted(scores: list[float], reference: list[int]) -> np.ndarray:
    return count(to_ordinals(np.array(scores)), np.array(reference, dtype=bool))


def test_best_dice_separates_what_can_be_separated() -> None:
    assert to_score(best_dice(counted([0.1, 0.2, 0.6, 0.7], [0, 0, 1, 1]))) == pytest.approx(0.2, abs=1e-3)


def test_all_lesion_takes_every_voxel() -> None:
    assert best_dice(counted([0.5, 0.5], [1, 1])) <= to_ordinals(np.array([0.5]))[0] - 1


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.5])
def test_healthy_rate_is_reached_but_never_exceeded(rate: float) -> None:
    scores = np.random.default_rng(0).random(1000).round(2)
    counts = counted(list(scores), [0] * 1000)
    threshold = healthy_quantile(counts, rate)
    stored = scores.astype(np.float16)
    assert (stored > to_score(threshold)).mean() <= rate
    assert (stored > to_score(threshold - 1)).mean() > rate or to_score(threshold) == stored.min()


def test_constant_healthy_map_raises_no_alarm() -> None:
    threshold = healthy_quantile(counted([0.3] * 10, [0] * 10), 0.01)
    assert to_score(threshold) == pytest.approx(0.3, abs=1e-3)


def test_missing_evidence_has_a_reason_and_no_substitute() -> None:
    test = counted([0.1, 0.9], [0, 1])
    choices = choose(Evidence(test, no_counts(), no_counts()))
    assert choices["oracle_test"].ordinal is not None
    for protocol in ("validation", "healthy_fpr_1", "healthy_fpr_5"):
        assert choices[protocol].ordinal is None
        assert "validation subject" in choices[protocol].reason


def test_validation_threshold_never_sees_the_test_set() -> None:
    validation, healthy = counted([0.1, 0.5], [0, 1]), counted([0.1, 0.2], [0, 0])
    first = choose(Evidence(counted([0.1, 0.9], [0, 1]), validation, healthy))
    second = choose(Evidence(counted([0.9, 0.1], [0, 1]), validation, healthy))
    assert {key: value for key, value in first.items() if key != "oracle_test"} == {
        key: value for key, value in second.items() if key != "oracle_test"
    }
