"""Which scans are like those that a model has seen."""

from __future__ import annotations

import pytest

from madad.detection.outside import judge
from madad.detection.seen_images import summarise

SEEN = {
    "brain_volume_ml": summarise([1350, 1400, 1500, 1550, 1600]),
    "template_dice": summarise([0.93, 0.94, 0.95, 0.95, 0.96]),
    "intensity_p50": summarise([70, 80, 90, 95, 100]),
    "white_minus_grey": summarise([0.18, 0.2, 0.22, 0.24, 0.2]),
    "mean_fluid": summarise([0.1, 0.12, 0.14, 0.1, 0.12]),
    "coarsest_mm": summarise([1.0, 1.0, 1.2, 1.2, 1.2]),
}
USUAL = {
    "brain_volume_ml": 1450,
    "template_dice": 0.94,
    "intensity_p50": 300,
    "white_minus_grey": 0.16,
    "mean_fluid": 0.15,
    "coarsest_mm": 2.0,
}


def test_an_ordinary_scan_of_another_scanner_passes() -> None:
    assert judge(USUAL, SEEN) == ([], [])


@pytest.mark.parametrize(
    ("measure", "value", "refusal"),
    [
        ("template_dice", 0.6, "the registration failed"),
        ("white_minus_grey", -0.1, "another sequence"),
        ("mean_fluid", 0.9, "another sequence"),
    ],
)
def test_what_cannot_be_right_is_refused(measure: str, value: float, refusal: str) -> None:
    verdict = judge({**USUAL, measure: value}, SEEN)
    assert len(verdict.refusals) == 1 and refusal in verdict.refusals[0]


@pytest.mark.parametrize(
    ("measure", "value", "says"),
    [
        ("brain_volume_ml", 400, "brain volume (ml) is 400, in the training images 1350 to 1600"),
        ("intensity_p50", 20000, "raw intensities are 222 times"),
        ("coarsest_mm", 6.0, "coarsest voxel side (mm) is 6"),
    ],
)
def test_what_is_far_off_is_flagged(measure: str, value: float, says: str) -> None:
    verdict = judge({**USUAL, measure: value}, SEEN)
    assert not verdict.refusals and len(verdict.flags) == 1 and says in verdict.flags[0]


def test_two_images_are_no_range() -> None:
    few = {key: {**value, "n": 2} for key, value in SEEN.items()}
    assert judge({**USUAL, "mean_fluid": 0.9}, few) == ([], [])


def test_a_summary_leaves_out_what_is_not_finite() -> None:
    assert summarise([1.0, float("nan"), 3.0]) == {"n": 2, "median": 2.0, "mad": 1.0, "min": 1.0, "max": 3.0}
    assert summarise([float("inf")]) is None
