from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from madad.evaluation.metrics.ordinal_scores import BINS, Tally, count, no_counts, to_ordinals, to_score
from madad.evaluation.metrics.thresholds import Evidence, best_dice, conformal, healthy_quantile
from madad.evaluation.metrics.voxel_metrics import dice_curve
from madad.evaluation.results.protocol_table import choose, chosen


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
    for protocol in ("validation", "healthy_fpr_1", "healthy_fpr_5", "conformal_fpr_1", "one_fp_per_scan"):
        assert choices[protocol].ordinal is None
        assert "validation subject" in choices[protocol].reason


def test_validation_threshold_never_sees_the_test_set() -> None:
    validation, healthy = counted([0.1, 0.5], [0, 1]), counted([0.1, 0.2], [0, 0])
    first = choose(Evidence(counted([0.1, 0.9], [0, 1]), validation, healthy))
    second = choose(Evidence(counted([0.9, 0.1], [0, 1]), validation, healthy))
    unseeing = [protocol.name for protocol in chosen() if not protocol.oracle]
    without_oracles = [{key: one[key] for key in unseeing} for one in (first, second)]
    assert without_oracles[0] == without_oracles[1]


def test_oracle_is_the_best_common_threshold_for_the_mean_of_subjects() -> None:
    generator = np.random.default_rng(3)
    subjects, dices, pooled = [], np.zeros(BINS + 1), no_counts()
    for voxels in (300, 60, 120):
        reference = generator.random(voxels) < 0.1 + 0.3 * (voxels < 100)
        scores = (generator.random(voxels) * (0.5 + generator.random()) + 0.4 * reference).astype(np.float16)
        counts = count(to_ordinals(scores), reference)
        subjects.append((scores, reference))
        tally = Tally.of(counts)
        dices += tally.spread(dice_curve(tally.counts))
        pooled += counts
    choices = choose(Evidence(test=pooled, dices=dices))
    mean = lambda cut: np.mean([f1_score(reference, scores > cut, zero_division=0) for scores, reference in subjects])  # noqa: E731
    best = max(mean(cut) for cut in np.concatenate([scores for scores, _ in subjects]).tolist())
    assert mean(to_score(choices["oracle_test"].ordinal)) == pytest.approx(best)
    assert choices["oracle_test"].ordinal != choices["pooled_best"].ordinal


@pytest.mark.parametrize(("number", "place"), [(9, 9), (10, 10), (19, 18), (20, 19), (99, 90)])
def test_conformal_takes_the_right_order_statistic(number: int, place: int) -> None:
    calm = np.random.default_rng(number).permutation(np.arange(1, number + 1)).tolist()
    assert conformal(calm).ordinal == place


@pytest.mark.parametrize("number", [0, 1, 8])
def test_too_few_healthy_subjects_give_no_guarantee_and_no_threshold(number: int) -> None:
    choice = conformal(list(range(number)))
    assert choice.ordinal is None
    assert f"{number} healthy validation subjects are too few" in choice.reason


def test_conformal_guarantee_holds_for_new_subjects() -> None:
    generator = np.random.default_rng(1)
    kept = [generator.normal() <= conformal(generator.normal(size=15).tolist()).ordinal for _ in range(4000)]
    assert 0.9 <= np.mean(kept) <= 0.96  # 15/16 is what the order statistic promises
