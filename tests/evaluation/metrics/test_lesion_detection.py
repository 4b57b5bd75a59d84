from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage

from madad.evaluation.metrics.lesion_detection import (
    MIN_VOXELS,
    TOO_SMALL,
    LesionCounts,
    label,
    match,
    voxels,
)
from madad.evaluation.protocol.metric_values import lesion_values

SHAPE = (9, 11, 10)


def blobs(seed: int, share: float, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 0.8)
    return noise > np.quantile(noise, 1 - share)


def flooded(mask: np.ndarray) -> list[set[tuple[int, int, int]]]:
    """Components by flood fill, voxel by voxel."""
    left, found = {tuple(place) for place in np.argwhere(mask).tolist()}, []
    while left:
        component, queue = set(), [left.pop()]
        while queue:
            place = queue.pop()
            component.add(place)
            near = {tuple(np.add(place, step).tolist()) for step in itertools.product((-1, 0, 1), repeat=3)} & left
            left -= near
            queue += near
        found.append(component)
    return found


def matched_slowly(prediction: np.ndarray, reference: np.ndarray) -> LesionCounts:
    every, predicted = flooded(reference), flooded(prediction)
    lesions = [lesion for lesion in every if len(lesion) >= MIN_VOXELS]
    small = [lesion for lesion in every if len(lesion) < MIN_VOXELS]
    raised = set().union(*predicted)
    found = sum(len(lesion & raised) / len(lesion) >= 0.1 for lesion in lesions)
    shares = np.array([[len(one & other) / len(one | other) for other in predicted] for one in lesions]).reshape(len(lesions), -1)
    paired = 0
    while shares.size and shares.max() >= 0.1:
        one, other = np.unravel_index(shares.argmax(), shares.shape)
        shares[one], shares[:, other], paired = 0, 0, paired + 1
    right = [any(component & lesion for lesion in lesions) for component in predicted]
    excused = [not hit and any(component & lesion for lesion in small) for component, hit in zip(predicted, right, strict=True)]
    return LesionCounts(len(lesions), found, paired, len(predicted) - sum(excused))


def matched(prediction: np.ndarray, reference: np.ndarray) -> LesionCounts:
    labels, number = label(reference)
    return match(prediction, labels, number, voxels(labels, number))


@pytest.mark.parametrize("seed", range(30))
def test_matching_equals_a_flood_fill(seed: int) -> None:
    generator = np.random.default_rng(seed)
    reference, other = blobs(seed, generator.uniform(0, 0.2)), blobs(seed + 1000, generator.uniform(0, 0.25))
    prediction = other | (blobs(seed + 2000, 0.5) & reference)
    assert matched(prediction, reference) == matched_slowly(prediction, reference)


def test_random_masks_hold_every_case() -> None:
    seen = [matched(blobs(seed + 1000, 0.1), blobs(seed, 0.1)) for seed in range(30)]
    assert any(one.found > one.matched for one in seen)
    assert any(0 < one.false_positives < one.predicted for one in seen)
    assert any(one.found < one.lesions for one in seen)


def test_neighbours_meet_at_corners() -> None:
    mask = np.zeros((4, 4, 4), dtype=bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 2, 2] = True
    labels, number = label(mask)
    assert number == 1
    assert labels[mask].tolist() == [1, 1, 1]


def test_specks_are_neither_lesions_nor_false_positives() -> None:
    reference = np.zeros((3, 3, 20), dtype=bool)
    reference[1, 1, 2:4] = reference[1, 1, 8:12] = True
    labels, number = label(reference)
    assert number == 1
    assert set(labels[1, 1, 2:4]) == {TOO_SMALL}
    assert voxels(labels, number).tolist() == [4]
    prediction = np.zeros_like(reference)
    prediction[1, 1, 2:4] = prediction[1, 1, 15] = True
    assert match(prediction, labels, number, voxels(labels, number)) == LesionCounts(1, 0, 0, 1)


@pytest.mark.parametrize("size", [3, 10, 11, 30, 31])
def test_a_tenth_is_enough(size: int) -> None:
    reference = np.zeros((1, 1, 40), dtype=bool)
    reference[..., :size] = True
    for covered in range(1, 5):
        prediction = np.zeros_like(reference)
        prediction[..., :covered] = True
        assert matched(prediction, reference).found == int(10 * covered >= size)


def test_a_component_is_the_partner_of_one_lesion_and_a_lesion_of_one_component() -> None:
    reference, prediction = (np.zeros((1, 1, 30), dtype=bool) for _ in range(2))
    reference[..., :6] = reference[..., 8:12] = True
    bridge = prediction.copy()
    bridge[..., :12] = True  # over both: one pair, one miss
    assert matched(bridge, reference) == LesionCounts(2, 2, 1, 1)
    prediction[..., :2] = prediction[..., 4:6] = True  # two pieces of one lesion: one pair, one false positive
    counts = matched(prediction, reference)
    assert counts == LesionCounts(2, 1, 1, 2) and counts.false_positives == 1
    assert matched(reference, reference) == LesionCounts(2, 2, 2, 2)


def test_large_component_notices_a_lesion_and_does_not_match_it() -> None:
    reference = np.zeros((1, 1, 60), dtype=bool)
    reference[..., :5] = True
    counts = matched(np.ones_like(reference), reference)
    assert (counts.found, counts.matched, counts.false_positives) == (1, 0, 1)


def test_metrics_of_a_partial_hit() -> None:
    values = lesion_values(LesionCounts(lesions=4, found=3, matched=1, predicted=6))
    assert values == {
        "lesions": 4,
        "lesion_sensitivity": 0.75,
        "lesion_sensitivity_iou": 0.25,
        "lesion_precision": pytest.approx(1 / 6),
        "lesion_f1": pytest.approx(2 / (2 + 5 + 3)),
        "false_positive_components": 5,
    }


@pytest.mark.parametrize(
    ("reference", "prediction", "sensitivity", "precision", "f1"),
    [(0, 0, 1, 1, 1), (0.1, 0, 0, 0, 0), (0, 0.1, np.nan, 0, 0)],
)
def test_empty_masks_are_declared(reference: float, prediction: float, sensitivity: float, precision: float, f1: float) -> None:
    values = lesion_values(matched(blobs(1, prediction), blobs(2, reference)))
    wanted = [sensitivity, sensitivity, precision, f1]
    names = ("lesion_sensitivity", "lesion_sensitivity_iou", "lesion_precision", "lesion_f1")
    assert [values[name] for name in names] == pytest.approx(wanted, nan_ok=True)


def test_missing_everything_with_a_wrong_component_is_zero() -> None:
    values = lesion_values(LesionCounts(lesions=1, found=0, matched=0, predicted=1))
    assert values["lesion_f1"] == 0


def test_one_component_over_the_whole_brain_is_worthless() -> None:
    reference = blobs(5, 0.02)
    values = lesion_values(matched(np.ones_like(reference), reference))
    assert (values["lesion_sensitivity"], values["lesion_precision"], values["lesion_f1"]) == (1, 0, 0)


def test_oracle_is_perfect() -> None:
    mask = blobs(5, 0.1)
    mask[label(mask)[0] < 0] = False
    values = lesion_values(matched(mask, mask))
    assert (values["lesion_f1"], values["lesion_sensitivity_iou"], values["false_positive_components"]) == (1, 1, 0)


@pytest.mark.parametrize("predicted", [False, True])
def test_lesions_too_small_to_count_are_no_success(predicted: bool) -> None:
    """With nothing but specks in the reference, a method that is silent must not look better than one that speaks."""
    reference, prediction = np.zeros((2, 6, 6, 6), dtype=bool)
    reference[1, 1, 1:3] = True
    prediction[4, 4, 4] = predicted
    labels, number = label(reference)
    metrics = lesion_values(match(prediction, labels, number, voxels(labels, number)))
    shares = [metrics[f"lesion_{name}"] for name in ("sensitivity", "sensitivity_iou", "precision", "f1")]
    assert number == 0 and np.isnan(shares).all()
    assert metrics["false_positive_components"] == predicted
