from __future__ import annotations

import numpy as np
import pytest

from madad.data.preprocessing.quality_measures import dice
from madad.data.preprocessing.skull_stripping import head_model
from madad.data.template import native_template
from tests.data.preprocessing.conftest import SyntheticHead, sampled


def overlap(head: SyntheticHead, matrix: np.ndarray) -> float:
    carried = sampled(native_template().brain, matrix, head.image.array.shape, head.image.affine)
    return dice(carried > 0.5, head.brain)


def test_locate_finds_the_brain_in_a_head(head: SyntheticHead) -> None:
    assert overlap(head, head_model.locate(head.image)) > 0.93


def test_locate_works_with_inverted_contrast(head: SyntheticHead) -> None:
    inverted = head.image.with_array(np.where(head.image.array > 15, 130 - head.image.array, head.image.array).clip(0))
    assert overlap(head, head_model.locate(inverted)) > 0.9


def test_model_has_brain_rims_and_air() -> None:
    model = head_model.head_model(5.0)
    assert model.image.array.max() > 0.8
    assert model.image.array[0].max() == pytest.approx(0, abs=1e-6)
    assert model.compared.any() and not model.compared.all()


def test_clipped_limits_the_brightest() -> None:
    model = head_model.head_model(5.0)
    spiked = model.image.array.copy()
    spiked[30, 30, 30] = 1000
    assert head_model.clipped(model.image.with_array(spiked)).array.max() < 2
