from __future__ import annotations

import numpy as np
import pytest
from monai.metrics import compute_froc_score
from scipy import ndimage

from madad.evaluation.metrics.connected_components import components
from madad.evaluation.metrics.ordinal_scores import count, no_counts, to_ordinals
from madad.evaluation.protocol.froc import RATES, Responses, add_froc, respond, sensitivity_at, thresholds
from madad.evaluation.protocol.records import Record
from madad.evaluation.results.long_table import LongTable
from madad.evaluation.results.protocol_table import FALSE_POSITIVES

SHAPE = (8, 12, 10)


def scan(seed: int, lesions: int = 2) -> Record:
    generator = np.random.default_rng(seed)
    brain = np.ones(SHAPE, dtype=bool)
    brain[:, 0] = False
    lesion = np.zeros(SHAPE, dtype=bool)
    for number in range(lesions):
        lesion[2:5, 2 + 5 * number : 5 + 5 * number, 3:6] = True
    scores = ndimage.gaussian_filter(generator.standard_normal(SHAPE), 0.7) + 0.6 * lesion
    return Record(SHAPE, brain, lesion, to_ordinals(np.where(brain, scores, 0)))


def values(records: list[Record], min_component: int = 2) -> dict[tuple[str, str], float]:
    tissue = sum((count(one.ordinals[one.brain], one.reference[one.brain]) for one in records), no_counts())
    cuts, table = thresholds(tissue), LongTable({})
    add_froc(cuts, [respond(one, cuts, min_component) for one in records], list(map(str, range(len(records)))), table)
    return {(row["protocol"], row["metric"]): float(row["value"]) for row in table.rows}


def test_false_positives_are_components_that_touch_no_lesion() -> None:
    record = scan(0)
    for cut in np.quantile(record.ordinals, [0.5, 0.8, 0.9, 0.97, 0.99]).astype(int).tolist():
        parts = components(record.above(cut))
        touching = np.unique(parts.members[record.reference.ravel()[parts.places]])
        expected = parts.number - touching.size
        assert respond(record, [cut], 1).false_positives.tolist() == [expected]
        assert respond(record, [cut], 4).false_positives[0] <= expected


def test_curve_is_that_of_a_loop_over_scans() -> None:
    records = [scan(seed, lesions) for seed, lesions in enumerate((2, 1, 0, 2))]
    tissue = sum((count(one.ordinals[one.brain], one.reference[one.brain]) for one in records), no_counts())
    found = values(records)
    for point, cut in enumerate(thresholds(tissue)):
        hit, false = [], 0
        for one in records:
            predicted, number = ndimage.label(one.above(cut), np.ones((3, 3, 3)))
            sizes = np.bincount(predicted.ravel(), minlength=number + 1)
            false += sum(sizes[n] >= 2 and not (one.lesion & (predicted == n)).any() for n in range(1, number + 1))
            lesions, number = ndimage.label(one.lesion, np.ones((3, 3, 3)))
            hit += [(predicted[lesions == n] > 0).mean() >= 0.1 for n in range(1, number + 1)]
        assert found[f"froc_point_{point:02d}", "froc_false_positives"] == pytest.approx(false / 4)
        assert found[f"froc_point_{point:02d}", "froc_sensitivity"] == pytest.approx(np.mean(hit))


def test_points_go_from_strict_to_lenient() -> None:
    assert list(RATES) == sorted(RATES)
    sensitivity = [value for (_, metric), value in values([scan(0), scan(1)]).items() if metric == "froc_sensitivity"]
    assert len(sensitivity) == len(RATES) and sensitivity == sorted(sensitivity)


def test_lesion_is_found_at_its_own_threshold() -> None:
    table = LongTable({})
    add_froc([7, 6, 5], [Responses(np.zeros(3), np.array([6, 9]))], ["a"], table)
    found = [row["value"] for row in table.rows if row["metric"] == "froc_sensitivity"]
    assert found == ["0.5", "1", "1"]


def test_sensitivity_equals_monai_on_a_rising_curve() -> None:
    generator = np.random.default_rng(0)
    false_positives, sensitivity = np.sort(generator.random(9) * 10), np.sort(generator.random(9))
    ours = [sensitivity_at(number, false_positives, sensitivity) for number in FALSE_POSITIVES]
    falling = [np.append(curve[::-1], 0) for curve in (false_positives, sensitivity)]
    expected = compute_froc_score(*falling, FALSE_POSITIVES)
    assert np.mean(ours) == pytest.approx(float(expected))


def test_curve_starts_at_nothing_and_stays_at_its_end() -> None:
    curve = np.array([2.0, 4.0]), np.array([0.5, 0.7])
    assert sensitivity_at(1, *curve) == pytest.approx(0.25)
    assert sensitivity_at(8, *curve) == pytest.approx(0.7)


def test_false_positives_that_flow_together_buy_nothing() -> None:
    # at the third point a single component covers half the brain
    assert sensitivity_at(1, np.array([0.5, 6.0, 1.0]), np.array([0.1, 0.3, 0.9])) == pytest.approx(0.1 + 0.5 / 5.5 * 0.8)


def test_of_equal_false_positives_the_most_sensitive_counts() -> None:
    assert sensitivity_at(1, np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.3, 0.6])) == pytest.approx(0.6)
    assert sensitivity_at(0.5, np.array([0.0, 0.0]), np.array([0.2, 0.4])) == pytest.approx(0.4)


@pytest.mark.parametrize("records", [[], [scan(0, lesions=0)]])
def test_no_lesion_no_curve(records: list[Record]) -> None:
    found = values(records)
    assert len(found) == 2 * len(RATES) + 3 * len(FALSE_POSITIVES)
    assert np.isnan(list(found.values())).all()


CUTS = list(range(14, 0, -1))


def study(subjects: int, generator: np.random.Generator) -> list[Responses]:
    """Scans whose lesions share a skill, and whose false alarms a rate; six in ten have lesions."""
    made = []
    for _ in range(subjects):
        lesions = 1 + generator.poisson(3) if generator.random() < 0.6 else 0
        found = 7 + generator.normal(0, 2) + generator.normal(0, 3, lesions)
        alarms = generator.poisson(0.05 * 1.5 ** np.arange(14) * generator.gamma(1.5, 1 / 1.5))
        made.append(Responses(np.maximum.accumulate(alarms), np.clip(np.round(found), 0, 14).astype(int)))
    return made


def at_two(scans: list[Responses]) -> list[float]:
    """Sensitivity at two false positives a scan with its bounds, every scan of another subject."""
    table = LongTable({})
    add_froc(CUTS, scans, list(map(str, range(len(scans)))), table)
    return [float(row["value"]) for row in table.rows if row["protocol"] == "froc_2"]


@pytest.mark.parametrize("subjects", [12, 40])
def test_interval_of_the_sensitivity_covers(subjects: int) -> None:
    generator = np.random.default_rng(subjects)
    truth = at_two(study(1500, generator))[0]
    found = np.array([at_two(study(subjects, generator)) for _ in range(120)])
    known = found[np.isfinite(found).all(axis=1), 1:]
    assert len(known) > 100
    assert ((known[:, 0] <= truth) & (truth <= known[:, 1])).mean() >= 0.93
    assert np.median(np.diff(known)) < 2 * np.ptp(np.quantile(found[:, 0], (0.025, 0.975)))


def test_few_subjects_have_no_interval_and_scans_of_one_are_one() -> None:
    scans, table = study(12, np.random.default_rng(0)), LongTable({})
    add_froc(CUTS, scans, [str(place % 5) for place in range(12)], table)
    ends = [row["value"] for row in table.rows if row["metric"] in ("lesion_sensitivity_low", "lesion_sensitivity_high")]
    assert len(ends) == 2 * len(FALSE_POSITIVES) and set(ends) == {"nan"}
