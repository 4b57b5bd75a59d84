from __future__ import annotations

import numpy as np
import pytest

from madad.evaluation.metrics.empty_masks import FARTHEST, FORMULA, IMAGE_DIAGONAL, UNDEFINED_WITHOUT_LESION, WORST, Empty


@pytest.mark.parametrize("empty", [FARTHEST, FORMULA, UNDEFINED_WITHOUT_LESION, WORST])
def test_no_empty_mask_means_the_formula(empty: Empty) -> None:
    assert empty.value(prediction_empty=False, reference_empty=False) is None


def test_both_masks_empty_goes_before_one() -> None:
    empty = Empty(both=1.0, prediction=2.0, reference=3.0)
    assert [empty.value(*pair) for pair in ((True, True), (True, False), (False, True))] == [1, 2, 3]


def test_sensitivity_without_a_lesion_is_undefined() -> None:
    assert np.isnan(UNDEFINED_WITHOUT_LESION.value(prediction_empty=False, reference_empty=True))


def test_distance_to_nothing_is_the_diagonal() -> None:
    assert FARTHEST.value(prediction_empty=True, reference_empty=False) == IMAGE_DIAGONAL
