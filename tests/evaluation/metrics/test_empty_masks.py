from __future__ import annotations

import numpy as np
import pytest

from madad.evaluation.metrics.empty_masks import EMPTY, empty_value
from madad.evaluation.metrics.lesion_detection import LesionCounts, lesion_metrics
from madad.evaluation.metrics.surfaces import surface_metrics
from madad.evaluation.metrics.voxel_metrics import BINARY


@pytest.mark.parametrize("metric", EMPTY)
def test_no_empty_mask_means_the_formula(metric: str) -> None:
    assert empty_value(metric, prediction_empty=False, reference_empty=False) is None


def test_every_row_belongs_to_a_metric() -> None:
    mask = np.ones((2, 2, 2), dtype=bool)
    known = {*BINARY, *lesion_metrics(LesionCounts(1, 1, 1, 1, 0)), *surface_metrics(mask, mask, (1.0, 1.0, 1.0))}
    assert set(EMPTY) <= known


def test_sensitivity_without_a_lesion_is_undefined() -> None:
    assert np.isnan(empty_value("sensitivity", prediction_empty=False, reference_empty=True))


def test_unknown_metric_is_refused() -> None:
    with pytest.raises(KeyError):
        empty_value("hausdorff", prediction_empty=True, reference_empty=True)
