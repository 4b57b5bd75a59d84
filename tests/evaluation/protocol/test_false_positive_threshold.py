from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from madad.evaluation.metrics.ordinal_scores import count, no_counts, to_ordinals
from madad.evaluation.metrics.thresholds import Choice, healthy_quantile
from madad.evaluation.protocol.false_positive_threshold import LARGEST_SHARE, one_false_positive
from madad.evaluation.protocol.records import Record, Scratch
from madad.evaluation.protocol.workers import team

SHAPE = (8, 14, 12)
BRAIN = np.ones(SHAPE, dtype=bool)


def noise(seed: int) -> np.ndarray:
    return np.abs(ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 1))


def chosen(folder: Path, maps: list[np.ndarray], min_component: int = 3, workers: int = 1) -> tuple[Choice, np.ndarray]:
    records = [Record(SHAPE, BRAIN, ~BRAIN, to_ordinals(scores)) for scores in maps]
    healthy = sum((count(one.ordinals[BRAIN], ~BRAIN[BRAIN]) for one in records), no_counts())
    with Scratch(folder) as scratch, team(workers) as run:
        places = [scratch.append(one.to_bytes()) for one in records]
        return one_false_positive(run, places, healthy, min_component), healthy


def alarms(scores: np.ndarray, threshold: int, min_component: int) -> int:
    labels, _ = ndimage.label(to_ordinals(scores).astype(int) > threshold, np.ones((3, 3, 3)))
    return int((np.bincount(labels.ravel())[1:] >= min_component).sum())


@pytest.mark.parametrize("workers", [1, 2])
def test_it_is_the_last_before_the_average_exceeds_one(tmp_path: Path, workers: int) -> None:
    maps = [noise(seed) for seed in range(5)]
    choice, healthy = chosen(tmp_path, maps, workers=workers)
    tried = np.flatnonzero(healthy[0])[::-1].tolist()
    means = [np.mean([alarms(scores, threshold, 3) for scores in maps]) for threshold in tried]
    assert tried.index(choice.ordinal) == int(np.argmax(np.array(means) > 1)) - 1
    assert 0 < means[tried.index(choice.ordinal)] <= 1


def test_flowing_together_is_not_calm(tmp_path: Path) -> None:
    """Two spots, and far below a ground that makes them one component: that must not pass for one alarm."""
    bridge = np.zeros(SHAPE, dtype=bool)
    bridge[1, 1:10, 2] = bridge[1, 9, 2:9] = True
    scores = 0.5 - 0.02 * ndimage.distance_transform_edt(~bridge)
    scores[1, 1:3, 1:4], scores[0:2, 9, 8:10] = 0.9, 0.8
    choice, healthy = chosen(tmp_path, [scores])
    below = [threshold for threshold in np.flatnonzero(healthy[0]).tolist() if alarms(scores, threshold, 3) == 1]
    assert len(below) > 8
    assert alarms(scores, choice.ordinal, 3) == 1 and choice.ordinal == max(below) == to_ordinals(np.array([0.8]))[0]


def test_quiet_maps_take_the_lowest_threshold_tried(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, BRAIN.size).reshape(SHAPE)
    choice, healthy = chosen(tmp_path, [ramp, ramp])
    assert choice.ordinal == healthy_quantile(healthy, LARGEST_SHARE)


def test_small_components_raise_no_alarm(tmp_path: Path) -> None:
    scores = np.zeros(SHAPE)
    scores[1::3, 1::3, 1::3] = 1.0
    assert chosen(tmp_path, [scores], min_component=2)[0].ordinal == to_ordinals(np.zeros(1))[0]
    assert chosen(tmp_path, [scores], min_component=1)[0].ordinal == to_ordinals(np.ones(1))[0]


def test_nobody_healthy_is_a_reason(tmp_path: Path) -> None:
    choice, _ = chosen(tmp_path, [])
    assert choice.ordinal is None and "healthy" in choice.reason
