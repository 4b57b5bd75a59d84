from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from madad.data.corruptions.signal import bias_field, contrast, noise

CUBE = np.ones((30, 30, 30), dtype=bool)
SPACING = (1.0, 1.0, 1.0)


@pytest.mark.parametrize("level", [0.0, 0.4])
def test_noise_is_rician(level: float) -> None:
    found = noise(np.full(CUBE.shape, level), CUBE, SPACING, 0.1, np.random.default_rng(0))
    assert stats.kstest(found.ravel(), stats.rice(level / 0.1, scale=0.1).cdf).pvalue > 0.01


def test_severities_share_the_noise() -> None:
    weak, strong = (noise(np.full(CUBE.shape, 0.8), CUBE, SPACING, s, np.random.default_rng(0)) - 0.8 for s in (0.001, 0.002))
    np.testing.assert_allclose(strong, 2 * weak, atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_field_spans_the_level_over_the_brain_and_is_smooth(head, seed: int) -> None:
    field = bias_field(np.ones(head.brain.shape), head.brain, SPACING, 0.2, np.random.default_rng(seed))
    inside = field[head.brain]
    assert inside.min() == pytest.approx(0.8) and inside.max() == pytest.approx(1.2)
    # a polynomial of the second degree: third differences vanish
    assert all(np.abs(np.diff(field, 3, axis=axis)).max() < 1e-9 for axis in range(3))


def test_field_multiplies(head) -> None:
    twice = bias_field(2 * head.image.astype(float), head.brain, SPACING, 0.3, np.random.default_rng(1))
    np.testing.assert_allclose(
        twice, 2 * bias_field(head.image.astype(float), head.brain, SPACING, 0.3, np.random.default_rng(1))
    )


def test_brain_of_one_slice_has_a_field(head) -> None:
    brain = head.brain & (np.arange(head.brain.shape[0]) == 14)[:, None, None]
    assert np.isfinite(bias_field(head.image.astype(float), brain, SPACING, 0.3, np.random.default_rng(1))).all()


def test_contrast_keeps_order_and_ends_and_goes_both_ways() -> None:
    ramp = np.linspace(0, 1, 1000).reshape(10, 10, 10)
    found = [contrast(ramp, CUBE, SPACING, 0.5, np.random.default_rng(seed)) for seed in range(10)]
    assert all((np.diff(one.ravel()) > 0).all() and one.min() == 0 and one.max() == 1 for one in found)
    middles = {round(float(np.interp(0.5, ramp.ravel(), one.ravel())), 3) for one in found}
    assert middles == {round(0.5 ** np.exp(0.5), 3), round(0.5 ** np.exp(-0.5), 3)}
