from __future__ import annotations

import numpy as np
import pytest

from madad.anomalies.insertion import Recipe, draw_centre, implant

SPACING = (3.0, 3.0, 3.0)
BRAIN = np.zeros((20, 24, 22), dtype=bool)
BRAIN[3:-3, 3:-3, 3:-3] = True
IMAGE = np.where(BRAIN, 0.5, 0).astype(np.float32)
TISSUE = BRAIN.astype(np.float32)


def made(recipe: Recipe, seed: int = 0):
    return implant(IMAGE, BRAIN, TISSUE, SPACING, recipe, np.random.default_rng(seed))


@pytest.mark.parametrize("sign", [1, -1])
def test_lesion_changes_the_image_by_its_contrast(sign: int) -> None:
    result = made(Recipe(8.0, 0.3, sign))
    assert np.sign(result.measured_contrast) == sign
    assert abs(result.measured_contrast) == pytest.approx(0.3, rel=0.35)


def test_volume_is_exact() -> None:
    assert made(Recipe(8.1, 0.3, 1)).lesion.sum() == 300


def test_healthy_image_is_untouched_and_kept_outside() -> None:
    before = IMAGE.copy()
    result = made(Recipe(2.0, 0.3, 1))
    assert np.array_equal(IMAGE, before)
    assert np.array_equal(result.image[~BRAIN], IMAGE[~BRAIN])
    assert not result.lesion[~BRAIN].any()


def test_intensities_stay_in_range() -> None:
    result = made(Recipe(8.0, 1.0, 1))
    assert result.image.max() <= 1 and result.image.min() >= 0


def test_centre_lies_in_tissue_and_deep_enough() -> None:
    centre = draw_centre(BRAIN, TISSUE, SPACING, 9.0, np.random.default_rng(0))
    assert BRAIN[tuple(centre)] and all(5 <= c < n - 5 for c, n in zip(centre, BRAIN.shape, strict=True))


def test_no_tissue_means_no_lesion() -> None:
    assert implant(IMAGE, BRAIN, 0 * TISSUE, SPACING, Recipe(1.0, 0.3, 1), np.random.default_rng(0)) is None
