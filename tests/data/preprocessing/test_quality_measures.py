from __future__ import annotations

import numpy as np
import pytest

from madad.data.preprocessing import quality_columns, quality_measures
from madad.data.template import template_on_grid

GOOD = {"brain_volume_ml": "1400", "template_dice": "0.95"}


def test_dice_of_halves_and_of_nothing() -> None:
    first, second = np.array([1, 1, 0, 0]), np.array([0, 1, 1, 0])
    assert quality_measures.dice(first, second) == 0.5
    assert quality_measures.dice(first * 0, second * 0) == 1


def test_measure_of_the_template_itself_is_perfect() -> None:
    template = template_on_grid(4.0)
    measures = quality_measures.measure(template.t1w, template.brain.array, template)
    assert float(measures["template_dice"]) == 1
    assert float(measures["registration_nmi"]) == pytest.approx(2, abs=0.01)
    landmarks = [float(measures[f"intensity_p{p}"]) for p in quality_columns.PERCENTILES]
    assert landmarks == sorted(landmarks)


def test_a_good_row_has_no_warning() -> None:
    assert quality_measures.warnings({**GOOD, "lesion_native_ml": "2", "lesion_ml": "1.9"}) == ""


def test_a_vanished_lesion_is_a_fact_and_needs_no_limit() -> None:
    assert "lesion of 0.02 ml vanished" in quality_measures.warnings({**GOOD, "lesion_native_ml": "0.02", "lesion_ml": "0"})
