from __future__ import annotations

import numpy as np
import pytest

from madad.evaluation.metrics.ordinal_scores import ZERO
from madad.evaluation.protocol.records import Record, Scratch, read

GENERATOR = np.random.default_rng


def record(seed: int, shape: tuple[int, int, int] = (4, 7, 5)) -> Record:
    generator = GENERATOR(seed)
    brain = generator.random(shape) < 0.6
    ordinals = np.where(brain | (generator.random(shape) < 0.05), generator.integers(0, 65536, shape), ZERO).astype(np.uint16)
    steps = {"erosion": (brain & (ordinals > ZERO), ordinals[brain & (ordinals > ZERO)])}
    return Record((9, 9, 9), brain, generator.random(shape) < 0.2, ordinals, steps, ordinals if seed % 2 else None)


def assert_equal(first: Record, second: Record) -> None:
    assert first.shape == second.shape
    for name in ("brain", "lesion", "ordinals"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    for one, other in zip(first.steps["erosion"], second.steps["erosion"], strict=True):
        assert np.array_equal(one, other)
    assert (first.published is None) == (second.published is None)


@pytest.mark.parametrize("seed", range(4))
def test_bytes_keep_everything(seed: int) -> None:
    assert_equal(Record.from_bytes(record(seed).to_bytes()), record(seed))


def test_no_voxel_is_no_problem() -> None:
    nothing = np.zeros((0, 0, 0), dtype=bool)
    again = Record.from_bytes(Record((3, 3, 3), nothing, nothing, nothing.astype(np.uint16)).to_bytes())
    assert again.voxels == 0 and not again.above(-1).any()


def test_above_is_of_the_brain_alone() -> None:
    one = record(0)
    for threshold in (-1, 0, ZERO, 65535):
        expected = one.brain & (one.ordinals.astype(int) > threshold)
        assert np.array_equal(one.above(threshold), expected)


def test_scratch_gives_back_what_it_took_and_vanishes(tmp_path) -> None:
    with Scratch(tmp_path) as scratch:
        places = [scratch.append(record(seed).to_bytes()) for seed in range(5)]
        for seed in (3, 0, 4, 1, 2):
            assert_equal(read(places[seed]), record(seed))
        assert not list(tmp_path.iterdir())
