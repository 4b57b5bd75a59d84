"""Sequences of one head find each other, and what does not fit is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from madad.core.errors import SubjectError
from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import coregistration
from tests.data.preprocessing.conftest import SyntheticHead


def moved(volume: Volume, angles: tuple[float, ...], shift: tuple[float, ...]) -> tuple[Volume, np.ndarray]:
    """Return the volume with another header, and the map from points of the old position to those of the new one."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    return Volume(volume.array, matrix @ volume.affine), matrix


def inverted(head: SyntheticHead) -> Volume:
    """Another contrast: what was bright within the brain is dark."""
    noise = np.random.default_rng(5).normal(0, 1.5, head.brain.shape)
    array = np.where(head.brain, 130 - head.image.array, head.image.array) + noise
    return head.image.with_array(np.maximum(array, 0).astype(np.float32))


def corners_mm(first: np.ndarray, second: np.ndarray) -> float:
    points = np.array([[x, y, z, 1] for x in (-50, 50) for y in (-80, 40) for z in (-30, 60)], dtype=float).T
    return float(np.linalg.norm(((first - second) @ points)[:3], axis=0).max())


@pytest.mark.parametrize(
    ("angles", "shift"),
    [((4, -3, 5), (6, -4, 8)), ((-8, 6, 10), (180, -90, 60)), ((24, -18, 20), (30, 35, -40))],
    ids=["near", "another origin", "turned"],
)
def test_another_contrast_in_another_place_is_found(head: SyntheticHead, angles: tuple, shift: tuple) -> None:
    image, truth = moved(inverted(head), angles, shift)
    found = coregistration.align(head.image, head.brain, image)
    assert corners_mm(found.matrix, truth) < 1.5
    assert found.nmi > found.before >= 1


def test_what_lies_right_already_stays_exactly(head: SyntheticHead) -> None:
    found = coregistration.align(head.image, head.brain, inverted(head))
    np.testing.assert_array_equal(found.matrix, np.eye(4))
    assert found.nmi == found.before


@pytest.mark.parametrize("kind", ["noise", "neck"])
def test_what_shows_no_such_brain_is_refused(head: SyntheticHead, kind: str) -> None:
    noise = np.random.default_rng(3).uniform(10, 100, head.brain.shape).astype(np.float32)
    neck = Volume(head.image.array[:, :, :14], head.image.affine)
    image = neck if kind == "neck" else head.image.with_array(noise)
    with pytest.raises(SubjectError, match="no position was found"):
        coregistration.align(head.image, head.brain, image)


def test_an_optimiser_gone_astray_is_not_believed(head: SyntheticHead, monkeypatch: pytest.MonkeyPatch) -> None:
    far = np.eye(4)
    far[:3, :3] = Rotation.from_euler("z", 180, degrees=True).as_matrix()
    monkeypatch.setattr(coregistration, "_fitted", lambda *_: far)
    # The mirrored head resembles itself; only the angle tells.
    monkeypatch.setattr(coregistration, "GAIN", 0.0)
    np.testing.assert_allclose(coregistration.align(head.image, head.brain, inverted(head)).matrix, np.eye(4), atol=0.1)
