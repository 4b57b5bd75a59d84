"""What holds for every corruption: severities grow, nothing happens outside the brain, the same draw gives the same image."""

from __future__ import annotations

import json

import numpy as np
import pytest

from madad.core.provenance import ROOT
from madad.data.corruptions.severities import CORRUPTIONS, SEVERITIES, corrupt
from madad.data.preprocessing.steps import intensity

KINDS = list(CORRUPTIONS)
MODEL = {"method": "percentile", "lower": 1.0, "upper": 99.0}


def changed(head, kind: str, severity: int, seed: int = 0) -> np.ndarray:
    return corrupt(kind, severity, head.image, head.brain, head.spacing_mm, np.random.default_rng(seed))


def strength(head, kind: str, value: float) -> np.ndarray:
    return CORRUPTIONS[kind].apply(head.image.astype(float), head.brain, head.spacing_mm, value, np.random.default_rng(0))


@pytest.mark.parametrize("kind", KINDS)
def test_no_strength_no_change(head, kind: str) -> None:
    unchanged = strength(head, kind, 1e-9)[head.brain]
    np.testing.assert_allclose(unchanged, head.image[head.brain], atol=1e-6)


@pytest.mark.parametrize("normalised", [False, True], ids=["raw", "normalised"])
@pytest.mark.parametrize("kind", KINDS)
def test_change_grows_with_severity(head, kind: str, normalised: bool) -> None:
    normalise = (lambda image: intensity.apply(MODEL, image, head.brain)) if normalised else (lambda image: image)
    clean, changes = normalise(head.image), []
    for severity in SEVERITIES:
        images = [normalise(changed(head, kind, severity, seed)) for seed in range(4)]
        changes.append(float(np.mean([np.abs(image - clean)[head.brain].mean() for image in images])))
    assert changes == sorted(set(changes))
    assert changes[-1] > 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_outside_the_brain_nothing_appears(head, kind: str) -> None:
    image = changed(head, kind, 5)
    assert not image[~head.brain].any() and (image >= 0).all() and np.isfinite(image).all()


@pytest.mark.parametrize("kind", KINDS)
def test_same_generator_same_image_and_input_untouched(head, kind: str) -> None:
    before = head.image.copy()
    assert (changed(head, kind, 3) == changed(head, kind, 3)).all()
    assert (head.image == before).all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "blur"])
def test_another_generator_another_image(head, kind: str) -> None:
    images = [changed(head, kind, 3, seed) for seed in range(6)]
    assert any((image != images[0]).any() for image in images[1:])


@pytest.mark.parametrize("kind", KINDS)
def test_anatomy_stays_in_place(head, kind: str) -> None:
    """Reference masks stay true: no shift of the corrupted image fits the clean one better than none."""
    image = changed(head, kind, 5)

    def likeness(shift: int, axis: int) -> float:
        return float(np.corrcoef(np.roll(image, shift, axis)[head.brain], head.image[head.brain])[0, 1])

    assert all(likeness(0, axis) > likeness(shift, axis) for axis in range(3) for shift in (-1, 1))


def test_schema_offers_every_corruption_and_severity() -> None:
    options = json.loads((ROOT / "schemas/config.schema.json").read_text())["properties"]["corrupted"]["properties"]
    assert options["kinds"]["items"]["enum"] == options["kinds"]["default"] == KINDS
    assert tuple(options["severities"]["default"]) == SEVERITIES
    assert (options["severities"]["items"]["minimum"], options["severities"]["items"]["maximum"]) == (1, 5)


def test_table_gives_a_strength_a_severity() -> None:
    for corruption in CORRUPTIONS.values():
        assert len(corruption.strengths) == len(SEVERITIES) and list(corruption.strengths) == sorted(set(corruption.strengths))
