from __future__ import annotations

import typing
from pathlib import Path

import numpy as np
import pytest

from madad.configuration.model import Evaluation
from madad.core.errors import UserError
from madad.evaluation.metrics.empty_masks import (
    BRAIN_DIAGONAL,
    CONVENTIONS,
    FARTHEST,
    FORMULA,
    UNDEFINED_WITHOUT_LESION,
    WORST,
    Empty,
    convention,
)
from madad.evaluation.metrics.lesion_detection import LesionCounts
from madad.evaluation.metrics.voxel_metrics import confusion
from madad.evaluation.protocol.metric_values import lesion_values, surface_values, voxel_values
from madad.evaluation.results.metric_table import METRICS
from tests.evaluation.cases import FULL, PLAIN, SHAPE, Case

NOTHING, SOMETHING = np.zeros((5, 5, 5), dtype=bool), np.pad(np.ones((1, 1, 1), dtype=bool), 2)
BOTH, PREDICTION, REFERENCE = (NOTHING, NOTHING), (NOTHING, SOMETHING), (SOMETHING, NOTHING)
PANOPTICA = [name for name in CONVENTIONS if name.startswith("panoptica")]
NO = float("nan")


@pytest.mark.parametrize("empty", [FARTHEST, FORMULA, UNDEFINED_WITHOUT_LESION, WORST])
def test_no_empty_mask_means_the_formula(empty: Empty) -> None:
    assert empty.value(prediction_empty=False, reference_empty=False) is None


def test_both_masks_empty_goes_before_one() -> None:
    empty = Empty(both=1.0, prediction=2.0, reference=3.0)
    assert [empty.value(*pair) for pair in ((True, True), (True, False), (False, True))] == [1, 2, 3]


def test_sensitivity_without_a_lesion_is_undefined() -> None:
    assert np.isnan(UNDEFINED_WITHOUT_LESION.value(prediction_empty=False, reference_empty=True))


def test_distance_to_nothing_is_the_diagonal() -> None:
    assert FARTHEST.value(prediction_empty=True, reference_empty=False) == BRAIN_DIAGONAL


def values(name: str, metric: str) -> list[float]:
    """One metric with both masks empty, nothing predicted, and no lesion."""
    chosen, found = convention(name), []
    for prediction, reference in (BOTH, PREDICTION, REFERENCE):
        cells = confusion(prediction, reference, prediction.size, 0.001)
        counts = LesionCounts(lesions=int(reference.any()), found=0, matched=0, predicted=int(prediction.any()))
        known = voxel_values(cells, chosen) | lesion_values(counts, chosen)
        found.append((known | surface_values(prediction, reference, (1.0, 1.0, 1.0), chosen))[metric])
    return found


DIAGONAL = pytest.approx(75**0.5)


@pytest.mark.parametrize(
    ("name", "metric", "expected"),
    [
        ("madad", "dice", [1, 0, 0]),
        ("madad", "hd95", [0, DIAGONAL, DIAGONAL]),
        ("madad", "hd95_penalty", [0, 1, 1]),
        ("metrics_reloaded", "dice", [1, 0, 0]),
        ("metrics_reloaded", "hd95", [0, NO, NO]),
        ("metrics_reloaded", "hd95_penalty", [0, 0, 0]),
        ("metrics_reloaded", "nsd_2mm", [1, 0, 0]),
        ("metrics_reloaded", "precision", [NO, 0, 0]),
        ("metrics_reloaded", "sensitivity", [NO, 0, NO]),
        *((name, "dice", [NO, 0, 0]) for name in PANOPTICA),
        *((name, "lesion_f1", [NO, 0, 0]) for name in PANOPTICA),
        *((name, "hd95", [0, DIAGONAL, DIAGONAL]) for name in PANOPTICA),
    ],
)
def test_conventions_have_their_values(name: str, metric: str, expected: list) -> None:
    found = values(name, metric)
    assert [np.isnan(one) for one in found] == [one is NO for one in expected]
    assert [one for one in found if not np.isnan(one)] == [one for one in expected if one is not NO]


def test_configuration_offers_the_conventions_and_ours_by_default() -> None:
    field = Evaluation.model_fields["empty_masks"]
    assert typing.get_args(field.annotation) == tuple(CONVENTIONS)
    assert field.default == "madad" and not CONVENTIONS["madad"].values


def test_conventions_name_metrics_that_exist() -> None:
    known = {metric.name for metric in METRICS}
    assert all(set(one.values) <= known for one in CONVENTIONS.values())


@pytest.mark.parametrize(("chosen", "told"), [({}, False), ({"empty_masks": "metrics_reloaded"}, True)])
def test_evaluation_follows_the_choice(tmp_path: Path, chosen: dict, told: bool) -> None:
    case = Case(tmp_path, FULL)
    # the validation patient alone has scores, so that nothing is predicted in the test patients
    case.write_maps(lambda sample: np.zeros(SHAPE) if sample.name in ("sub-2", "sub-3") else 1.0 * sample.lesion)
    distances = case.values("hd95", "validation", {**PLAIN, **chosen})
    assert len(distances) == 2 and all(np.isnan(one) == told for one in distances.values())


def test_unknown_convention_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"evaluation\.empty_masks: mine is no convention; take one of madad, metrics_reloaded"):
        Case(tmp_path, FULL).rows({**PLAIN, "empty_masks": "mine"})
