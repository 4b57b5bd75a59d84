from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from madad.evaluation.metrics.ordinal_scores import to_ordinals
from madad.evaluation.protocol.inputs import Grid
from madad.evaluation.protocol.mean_maps import Healthy, MeanMaps

SHAPE = (3, 4, 5)
GRID = Grid(SHAPE, (2.0, 2.0, 2.0), np.diag([2.0, 2, 2, 1]))


def healthy(seed: int, share: float = 0.7) -> tuple[Healthy, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    brain, scores = generator.random(SHAPE) < share, generator.random(SHAPE).astype(np.float16)
    residual = generator.random(SHAPE).astype(np.float32)
    return Healthy(brain, to_ordinals(scores[brain]), residual[brain]), scores, residual


def written(folder: Path, subjects: list[Healthy], name: str = "mean_maps.npz") -> dict[str, np.ndarray]:
    means = MeanMaps(GRID)
    for one in subjects:
        means.add(one)
    means.write(folder / name)
    with np.load(folder / name, allow_pickle=False) as stored:
        return dict(stored)


def test_means_are_over_those_whose_brain_is_there(tmp_path: Path) -> None:
    drawn = [healthy(seed) for seed in range(4)]
    found = written(tmp_path, [one for one, _, _ in drawn])
    brains = np.stack([one.brain for one, _, _ in drawn])
    for name, volumes in (("score", [scores for _, scores, _ in drawn]), ("residual", [residual for *_, residual in drawn])):
        expected = np.ma.masked_array(np.stack(volumes).astype(float), ~brains).mean(axis=0).filled(0)
        assert found[name] == pytest.approx(expected, abs=1e-6)
        assert found[name].dtype == np.float32
    assert found["brain"] == pytest.approx(brains.mean(axis=0))
    assert found["number"] == 4 and np.array_equal(found["affine"], GRID.affine)


def test_no_reconstruction_no_residual(tmp_path: Path) -> None:
    assert "residual" not in written(tmp_path, [healthy(0)[0]._replace(residual=None)])


def test_nobody_is_said_by_the_number(tmp_path: Path) -> None:
    found = written(tmp_path, [])
    assert found["number"] == 0 and not found["score"].any() and not found["brain"].any()


def test_same_subjects_same_bytes(tmp_path: Path) -> None:
    subjects = [healthy(seed)[0] for seed in range(2)]
    written(tmp_path, subjects, "a.npz")
    written(tmp_path, subjects, "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
