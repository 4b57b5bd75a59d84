from __future__ import annotations

import numpy as np
import pytest

from madad.evaluation.metrics.lesion_contrast import lesion_contrast

SPACING = (2.0, 2.0, 2.0)
BRAIN = np.zeros((20, 24, 24), dtype=bool)
BRAIN[2:-2, 2:-2, 2:-2] = True
LESION = np.zeros_like(BRAIN)
LESION[9:12, 9:13, 9:13] = True


def image(level: float = 0.5, change: float = 0.2) -> np.ndarray:
    return np.where(LESION, level + change, np.where(BRAIN, level, 0.0)).astype(np.float32)


@pytest.mark.parametrize("change", [0.3, -0.25])
def test_contrast_is_the_difference_to_the_tissue_around(change: float) -> None:
    assert lesion_contrast(image(change=change), LESION, BRAIN, SPACING) == pytest.approx(change, abs=1e-6)


def test_far_tissue_the_rim_and_other_lesions_do_not_count() -> None:
    given, other = image(), np.roll(LESION, 6, axis=2)
    given[:, :, :4] = 5.0  # far away
    given[other] = 0.9
    rim = np.roll(LESION, 1, axis=0) & ~LESION
    given[rim] = 0.6
    assert lesion_contrast(given, LESION, BRAIN, SPACING, LESION | other) == pytest.approx(0.2, abs=1e-6)


def test_few_vessels_and_fluid_around_do_not_move_it() -> None:
    given = image()
    given[9, 13:15, 9:13] = 3.0
    assert lesion_contrast(given, LESION, BRAIN, SPACING) == pytest.approx(0.2, abs=1e-6)


def test_only_the_brain_counts() -> None:
    brain = BRAIN.copy()
    brain[:, :, :11] = False
    given = image()
    given[~brain] = 7.0
    assert lesion_contrast(given, LESION, brain, SPACING) == pytest.approx(0.2, abs=1e-6)


def test_without_a_lesion_or_its_surroundings_there_is_none() -> None:
    assert np.isnan(lesion_contrast(image(), np.zeros_like(LESION), BRAIN, SPACING))
    assert np.isnan(lesion_contrast(image(), LESION, LESION, SPACING))
    assert np.isnan(lesion_contrast(image(), LESION, np.zeros_like(BRAIN), SPACING))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 1.0, 1.0), (5.0, 5.0, 5.0)])
def test_any_voxel_size(spacing: tuple[float, float, float]) -> None:
    assert lesion_contrast(image(), LESION, BRAIN, spacing) == pytest.approx(0.2, abs=1e-6)
