from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from madad.evaluation.metrics.ordinal_scores import count, no_counts, to_ordinals, to_score, to_scores
from madad.evaluation.metrics.slice_dice import best_entry, slice_dice, threshold_grid

SHAPE = (6, 9, 8)


def case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ordinals, brain and reference of a volume whose first slices have no lesion."""
    generator = np.random.default_rng(seed)
    brain = generator.random(SHAPE) < 0.8
    reference = brain & (generator.random(SHAPE) < 0.2) & (np.arange(6) > 1)[:, None, None]
    scores = (generator.random(SHAPE) + 0.5 * reference).astype(np.float16)
    return np.where(brain, to_ordinals(scores), np.uint16(0)), brain, reference


def pooled(seeds: range) -> np.ndarray:
    return sum((count(o[brain], reference[brain]) for o, brain, reference in map(case, seeds)), no_counts())


def slow(seed: int, threshold: float) -> list[float]:
    ordinals, brain, reference = case(seed)
    shown = [z for z in range(len(brain)) if reference[z].any()]
    return [f1_score(reference[z][brain[z]], to_scores(ordinals[z][brain[z]]) > threshold, zero_division=0) for z in shown]


def test_sum_equals_scikit_learn_at_every_threshold() -> None:
    grid = threshold_grid(pooled(range(3)))[::40]
    ordinals, brain, reference = case(1)
    found = slice_dice(ordinals, brain, reference, grid)
    assert found.slices == 4
    for threshold, total in zip(grid.tolist(), found.total, strict=True):
        assert total == pytest.approx(sum(slow(1, to_score(threshold))))


def test_best_common_threshold_is_close_to_the_best_of_all_scores() -> None:
    grid = threshold_grid(pooled(range(3)))
    best = best_entry([slice_dice(*case(seed), grid) for seed in range(3)])
    every = np.unique(np.concatenate([to_scores(case(seed)[0][case(seed)[1]]) for seed in range(3)]))
    mean = lambda cut: np.mean(np.concatenate([slow(seed, cut) for seed in range(3)]))  # noqa: E731
    assert best.mean >= max(mean(cut) for cut in every[::5].tolist()) - 0.01
    assert best.mean == pytest.approx(mean(to_score(int(grid[best.entry]))))


def test_grid_is_dense_where_false_positives_disappear() -> None:
    counts = no_counts()
    counts[0, 40_000:50_000] = 100  # a million healthy voxels
    counts[1, 49_000:51_000] = 1
    grid = threshold_grid(counts)
    assert grid.size <= 1024
    above = counts[0].sum() - np.cumsum(counts[0])[grid]
    assert (above == 0).any() and ((above > 0) & (above <= 200)).any()


def test_grid_reaches_from_all_voxels_to_none() -> None:
    counts = pooled(range(2))
    grid, both = threshold_grid(counts), counts.sum(axis=0)
    assert (np.diff(grid) > 0).all()
    assert np.cumsum(both)[grid[-1]] == both.sum()


def test_nothing_to_score() -> None:
    assert threshold_grid(no_counts()).size == 0
    assert best_entry([]) is None
    nothing = np.zeros(SHAPE, dtype=bool)
    assert slice_dice(nothing.astype(np.uint16), nothing, nothing, np.array([3, 4])).slices == 0
