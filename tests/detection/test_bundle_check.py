"""A model computes after it was bundled what it did before, and the recorded loss tells it from another."""

from __future__ import annotations

from pathlib import Path

import pytest

from madad.core.io import model_archive
from madad.detection import bundle_check, model_bundle
from tests.detection.short_trainings import study


def holds(path: Path, others: list[Path]) -> None:
    about = model_archive.read_start(path)
    sides = bundle_check.image_sides(about["build"], about["weights"]["image_shape"])
    found = bundle_check.loss(bundle_check.rebuilt(path, others), sides)
    assert found == pytest.approx(about["check"]["loss"], rel=bundle_check.TOLERANCE)
    assert about["licence"] and about["made"]["preset"] and about["metrics"]["best_validation_loss"] is not None


def test_a_model_of_today_computes_the_same_after_it_is_bundled_and_another_does_not(tmp_path: Path) -> None:
    made = study(tmp_path / "results", seed=1000)
    for method in ("ddpm", "kl_autoencoder", "ldm"):
        assert made.train(method) == 0
    paths = model_bundle.bundle(made.results, tmp_path / "bundled")
    assert len(paths) == 3
    for path in paths:
        holds(path, paths)
    about = model_archive.read_start(paths[0])
    method = bundle_check.rebuilt(paths[0], paths)
    for weight in method.parameters():
        weight.data.mul_(1.5)
    sides = bundle_check.image_sides(about["build"], about["weights"]["image_shape"])
    assert bundle_check.loss(method, sides) != pytest.approx(about["check"]["loss"], rel=bundle_check.TOLERANCE)
