from __future__ import annotations

import numpy as np

from madad.evaluation.statistics.bootstrap import resampled_means

GENERATOR = np.random.default_rng


def seeds_of(number: int, subjects: int, spread: float, seed: int = 0) -> np.ndarray:
    """Values (seeds, N) with an effect of subjects, of seeds (SD `spread`) and of both together."""
    generator = GENERATOR(seed)
    shifts = spread * generator.normal(size=(number, 1))
    return 1 + generator.normal(size=subjects) + shifts + 0.1 * generator.normal(size=(number, subjects))


def test_equal_methods_are_equal_in_every_resample() -> None:
    values = [seeds_of(3, 13, 0.3), seeds_of(1, 13, 0.0, 1)]
    drawn = resampled_means([values[0], values[1], values[0]], 200, GENERATOR(0))
    assert drawn.shape == (200, 3)
    assert (drawn[:, 0] == drawn[:, 2]).all()
    assert (resampled_means([values[1], values[0]], 200, GENERATOR(0)) == drawn[:, [1, 0]]).all()


def test_resampled_means_are_paired() -> None:
    values = seeds_of(1, 50, 0.0)
    drawn = resampled_means([values, values + 0.3], 200, GENERATOR(0))
    assert np.ptp(drawn[:, 1] - drawn[:, 0]) < 1e-9 < 0.1 < np.ptp(drawn[:, 0])
