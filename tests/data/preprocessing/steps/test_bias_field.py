from __future__ import annotations

import numpy as np

from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import bias_field
from tests.data.preprocessing.conftest import SyntheticHead


def test_estimate_flattens_a_ramp(head: SyntheticHead) -> None:
    ramp = np.exp(np.linspace(-0.4, 0.4, head.image.array.shape[1]))[None, :, None]
    biased = head.image.with_array(head.image.array * ramp)
    field = bias_field.estimate(biased, head.brain).array
    found = np.polyfit(np.log(ramp * np.ones_like(field))[head.brain], np.log(field)[head.brain], 1)[0]
    assert 0.6 < found < 1.4


def test_estimate_has_mean_one_in_the_mask(head: SyntheticHead) -> None:
    assert abs(bias_field.estimate(head.image, head.brain).array[head.brain].mean() - 1) < 0.02


def test_carry_field_holds_the_border_outside() -> None:
    field = Volume(np.full((4, 4, 4), 1.5), np.diag([10.0, 10, 10, 1]))
    grid = Volume(np.zeros((60, 60, 60)), np.diag([2.0, 2, 2, 1]))
    np.testing.assert_allclose(bias_field.carry_field(field, grid), 1.5)


def test_foreground_of_noise_around_a_block() -> None:
    array = np.random.default_rng(0).uniform(0, 5, (20, 20, 20))
    array[5:15, 5:15, 5:15] = 100
    inside = bias_field.foreground(array)
    assert inside[10, 10, 10]
    assert not inside[0].any()


def test_foreground_heeds_no_hot_voxel(head: SyntheticHead) -> None:
    hot = head.image.array.copy()
    hot[0, 0, 0] = 1e5
    assert bias_field.foreground(hot)[head.brain].mean() > 0.99
