from __future__ import annotations

import numpy as np
import pytest
from monai.metrics import compute_froc_score
from scipy import ndimage

from madad.evaluation.metrics.component_tree import Counts
from madad.evaluation.metrics.lesion_detection import label, match, voxels
from madad.evaluation.metrics.ordinal_scores import count, no_counts, to_ordinals
from madad.evaluation.metrics.thresholds import healthy_quantile
from madad.evaluation.protocol.froc import LARGEST_SHARE, Responses, add_froc, respond, sensitivity_at, thresholds
from madad.evaluation.protocol.postprocessing import remove_small
from madad.evaluation.protocol.records import Record
from madad.evaluation.results.long_table import LongTable
from madad.evaluation.results.protocol_table import FALSE_POSITIVES, FROC_DRAWN, froc_point

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
    cuts, table = thresholds(tissue(records)), LongTable({})
    responses = [respond(one, *label(one.reference), min(cuts, default=0), min_component) for one in records]
    add_froc(cuts, responses, list(map(str, range(len(records)))), table)
    return {(one.protocol, one.metric): one.value for one in table.numbers}


def tissue(records: list[Record]) -> np.ndarray:
    return sum((count(one.ordinals[one.brain], one.reference[one.brain]) for one in records), no_counts())


def test_curve_is_that_of_matching_again_at_every_threshold() -> None:
    records = [scan(seed, lesions) for seed, lesions in enumerate((2, 1, 0, 2))]
    counts = tissue(records)
    lowest = healthy_quantile(counts.sum(axis=0)[None], LARGEST_SHARE)
    best, points = 0.0, [(0.0, 0.0)]
    for cut in [one for one in np.flatnonzero(counts.any(axis=0))[::-1].tolist() if one >= lowest]:
        pairs = []
        for one in records:
            labels, number = label(one.reference)
            pairs.append(match(remove_small(one.above(cut), 2), labels, number, voxels(labels, number)))
        alarms, hits = sum(one.false_positives for one in pairs) / 4, sum(one.matched for one in pairs) / 5
        best = max(best, hits)
        points.append((max(points[-1][0], alarms), best))
    assert best > 0.5 and points[-1][0] > 8
    found = values(records)
    for number in FALSE_POSITIVES:
        before, after = [p for p in points if p[0] <= number][-1], next(p for p in points if p[0] > number)
        share = (number - before[0]) / (after[0] - before[0])
        expected = before[1] + share * ([p for p in points if p[0] == after[0]][-1][1] - before[1])
        assert found[f"froc_{number:g}", "lesion_sensitivity_iou"] == pytest.approx(expected)


def test_drawn_curve_rises_and_meets_the_numbers_of_the_table() -> None:
    found = values([scan(seed) for seed in range(8)])
    drawn = [found[froc_point(number).name, "froc_sensitivity"] for number in FROC_DRAWN]
    assert drawn == sorted(drawn) and drawn[-1] > drawn[0]
    for number in FALSE_POSITIVES:
        told = found[f"froc_{number:g}", "lesion_sensitivity_iou"]
        assert found[froc_point(number).name, "froc_sensitivity"] == pytest.approx(told)


def test_a_map_that_is_the_reference_finds_all_without_a_false_positive() -> None:
    records = [scan(seed) for seed in range(3)]
    perfect = [Record(one.shape, one.brain, one.lesion, to_ordinals(one.lesion.astype(np.float32))) for one in records]
    found = values(perfect)
    assert {found[f"froc_{number:g}", "lesion_sensitivity_iou"] for number in FALSE_POSITIVES} == {1.0}


def test_one_component_over_the_brain_finds_nothing() -> None:
    record = scan(0)
    found = values([Record(SHAPE, record.brain, record.lesion, to_ordinals(np.ones(SHAPE, dtype=np.float32)))])
    assert found["froc_8", "lesion_sensitivity_iou"] == 0


def test_sensitivity_equals_monai_on_a_rising_curve() -> None:
    generator = np.random.default_rng(0)
    false_positives, sensitivity = np.sort(generator.random(9) * 10), np.sort(generator.random(9))
    ours = sensitivity_at(FALSE_POSITIVES, false_positives, sensitivity)
    falling = [np.append(curve[::-1], 0) for curve in (false_positives, sensitivity)]
    expected = compute_froc_score(*falling, FALSE_POSITIVES)
    assert np.mean(ours) == pytest.approx(float(expected))


def test_curve_starts_at_nothing_and_stays_at_its_end() -> None:
    curve = np.array([2.0, 4.0]), np.array([0.5, 0.7])
    assert sensitivity_at([1], *curve) == pytest.approx(0.25)
    assert sensitivity_at([8], *curve) == pytest.approx(0.7)


def test_false_positives_that_flow_together_buy_nothing() -> None:
    # at the third point a single component covers half the brain
    assert sensitivity_at([1], np.array([0.5, 6.0, 1.0]), np.array([0.1, 0.3, 0.9])) == pytest.approx(0.1 + 0.5 / 5.5 * 0.8)


def test_of_equal_false_positives_the_most_sensitive_counts() -> None:
    assert sensitivity_at([1], np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.3, 0.6])) == pytest.approx(0.6)
    assert sensitivity_at([0.5], np.array([0.0, 0.0]), np.array([0.2, 0.4])) == pytest.approx(0.4)


@pytest.mark.parametrize("records", [[], [scan(0, lesions=0)]])
def test_no_lesion_no_curve(records: list[Record]) -> None:
    found = values(records)
    assert len(found) == 3 * (len(FROC_DRAWN) + len(FALSE_POSITIVES))
    assert np.isnan(list(found.values())).all()


CUTS = list(range(14, 0, -1))


def study(subjects: int, generator: np.random.Generator) -> list[Responses]:
    """Scans whose lesions share a skill, and whose false alarms a rate; six in ten have lesions."""
    made = []
    for _ in range(subjects):
        lesions = 1 + generator.poisson(3) if generator.random() < 0.6 else 0
        found = 7 + generator.normal(0, 2) + generator.normal(0, 3, lesions)
        alarms = generator.poisson(0.05 * 1.5 ** np.arange(14) * generator.gamma(1.5, 1 / 1.5))
        hits = [np.count_nonzero(np.round(found) >= cut) for cut in CUTS]
        # entry n is that of the threshold n − 1, and above the highest cut there is nothing
        matched = np.append(hits[::-1], 0)
        components = np.append(np.maximum.accumulate(alarms)[::-1], 0) + matched
        made.append(Responses(Counts(np.array([0, *range(3, 17)]), components, matched), lesions))
    return made


POINTS = ("froc_2", froc_point(FROC_DRAWN[24]).name, froc_point(FROC_DRAWN[34]).name)


def at_points(scans: list[Responses]) -> np.ndarray:
    """Sensitivity with its bounds at each of the points, every scan of another subject."""
    table = LongTable({})
    add_froc(CUTS, scans, list(map(str, range(len(scans)))), table)
    return np.array([[one.value for one in table.numbers if one.protocol == point] for point in POINTS])


@pytest.mark.parametrize("subjects", [12, 40])
def test_intervals_of_the_curve_cover(subjects: int) -> None:
    generator = np.random.default_rng(subjects)
    truths = at_points(study(1200, generator))[:, 0]
    studies = np.stack([at_points(study(subjects, generator)) for _ in range(120)], axis=1)
    for truth, found in zip(truths, studies, strict=True):
        known = found[np.isfinite(found).all(axis=1), 1:]
        assert len(known) > 80
        assert ((known[:, 0] <= truth) & (truth <= known[:, 1])).mean() >= 0.91  # 0.95 less two standard errors
        assert np.median(np.diff(known)) < 2 * np.ptp(np.quantile(found[:, 0], (0.025, 0.975)))


def test_few_subjects_have_no_interval_and_scans_of_one_are_one() -> None:
    scans, table = study(12, np.random.default_rng(0)), LongTable({})
    add_froc(CUTS, scans, [str(place % 5) for place in range(12)], table)
    ends = [one.value for one in table.numbers if one.metric.endswith(("_low", "_high"))]
    assert len(ends) == 2 * (len(FALSE_POSITIVES) + len(FROC_DRAWN)) and np.isnan(ends).all()
