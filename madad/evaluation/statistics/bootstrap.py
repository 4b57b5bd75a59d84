"""Resamples of subjects and seeds, for the probabilities of ranks.

The subject is the unit: each is drawn with all its samples. Intervals are `madad.evaluation.statistics.intervals`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def resampled_means(values: Sequence[np.ndarray], resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Means of several methods over the same resamples of subjects and seeds, shape (resamples, K).

    Subjects are shared, so that differences between columns are paired. Methods with equally many seeds share the draw of
    seeds as well; their order says nothing, and the variance of a difference is right either way.

    Args:
        values: K arrays (seeds, N) of finite values; the numbers of seeds may differ. One column is one subject.
    """
    number = values[0].shape[1]
    drawn = _multiplicities(number, resamples, generator) / number
    sizes = sorted({len(one) for one in values})
    seeds = {size: _seed_weights(size, resamples, generator) for size in sizes}
    # Rounding makes equal methods equal in every resample, whatever the order of summation.
    return np.stack([np.einsum("rs,rs->r", drawn @ one.T, seeds[len(one)]) for one in values], axis=1).round(12)


def _multiplicities(number: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Return how often each unit is drawn, (resamples, number); counting draws is five times faster than a multinomial."""
    drawn = generator.integers(number, size=(resamples, number)) + number * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * number).reshape(resamples, number)


def _seed_weights(number: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Weights of the seeds in each resample, (resamples, number), rows sum to 1, with the variance of independent seeds."""
    if number == 1:
        return np.ones((resamples, 1))
    drawn = _multiplicities(number, resamples, generator) / number
    return 1 / number + (drawn - 1 / number) * np.sqrt(number / (number - 1))
