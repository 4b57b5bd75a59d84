from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.data.anomalies.generator import describe_region
from madad.data.anomalies.insertion import Recipe, draw_centre, implant
from madad.data.anomalies.lesion_masks import read_lesion

SPACING = 3.0
BRAIN = np.zeros((24, 28, 30), dtype=bool)
BRAIN[3:-3, 3:-3, 3:-3] = True
AFFINE = np.diag([SPACING, SPACING, SPACING, 1.0])
AFFINE[:3, 3] = [-SPACING * 14.5, -40, -30]
IMAGE = np.where(BRAIN, 0.5, 0).astype(np.float32)
SITE = np.zeros(BRAIN.shape)
SITE[10:14, 10:14, 7:10] = 1


def made(
    recipe: Recipe,
    options: dict,
    seed: int = 0,
    lesions: tuple = (),
    tissue: np.ndarray = BRAIN,
    boundary: str = "brain",
    image: np.ndarray = IMAGE,
):
    region = describe_region(BRAIN, SPACING, boundary, AFFINE)
    return implant(image, tissue, region, SITE, recipe, lesions, options, np.random.default_rng(seed))


@pytest.mark.parametrize("boundary", ["brain", "box"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("volume_ml", [0.027, 0.3, 8.1])
def test_volume_and_contrast_are_exact(options: dict, sign: int, volume_ml: float, boundary: str) -> None:
    result = made(Recipe(volume_ml, 0.2, sign, "here"), options, boundary=boundary)
    assert result.lesion.sum() == round(volume_ml / 0.027)
    assert result.measured_contrast == pytest.approx(0.2 * sign, abs=1e-3)


def test_healthy_image_is_untouched_and_kept_away_from_the_lesion(options: dict) -> None:
    before = IMAGE.copy()
    result = made(Recipe(2.0, 0.3, 1, "here"), options)
    assert np.array_equal(IMAGE, before) and np.array_equal(result.image[~BRAIN], IMAGE[~BRAIN])
    assert not result.lesion[~BRAIN].any()
    changed = result.image != IMAGE
    assert changed[result.lesion].all() and changed.sum() < 6 * result.lesion.sum()


def test_bright_lesion_keeps_its_contrast_above_the_normal_range_and_says_what_is_seen_of_it(options: dict) -> None:
    """As in FLAIR, whose tissue is near the upper end: ordered 0.5, seen at most 0.2."""
    result = made(Recipe(8.0, 0.5, 1, "here"), options, image=np.where(BRAIN, 0.8, 0).astype(np.float32))
    assert result.measured_contrast == pytest.approx(0.5, abs=1e-3)
    assert 0.15 < result.seen_contrast <= 0.2 and result.saturated > 0.5 and result.image.max() > 1
    shown = result.image.clip(0, 1)[result.lesion]
    assert result.seen_contrast == pytest.approx(shown.mean() - 0.8, abs=1e-5)
    assert result.saturated == pytest.approx((shown == 1).mean())


@pytest.mark.parametrize(("contrast", "measured"), [(0.3, 0.3), (0.48, 0.48), (0.9, 0.5)])
def test_dark_lesion_keeps_its_contrast_until_it_is_black(options: dict, contrast: float, measured: float) -> None:
    result = made(Recipe(8.0, contrast, -1, "here"), options)
    assert result.measured_contrast == pytest.approx(-measured, abs=1e-3)
    assert result.seen_contrast == pytest.approx(result.measured_contrast) and result.image.min() == 0
    assert (result.saturated == 1) == (contrast > 0.5)


@pytest.mark.parametrize("seed", range(4))
def test_lesion_lies_at_its_site(options: dict, seed: int) -> None:
    centre = made(Recipe(1.0, 0.3, 1, "here"), options, seed).centre
    assert np.abs(centre - [11.5, 11.5, 8]).max() < 4


def test_lesion_spares_fluid_and_still_has_its_volume(options: dict) -> None:
    tissue = BRAIN.copy()
    tissue[11:13, :, :] = False
    result = made(Recipe(8.1, 0.3, 1, "here"), options, tissue=tissue)
    assert result.lesion.sum() == 300 and not result.lesion[11:13].any()


def test_lesion_stays_on_its_side(options: dict) -> None:
    result = made(Recipe(40.0, 0.3, 1, "here"), options)
    assert not result.lesion[:, :, 15:].any() and result.lesion.sum() == round(40 / 0.027)


def test_lesion_larger_than_its_map_grows_outwards_from_it(options: dict) -> None:
    tissue = (SITE > 0) & BRAIN
    tissue[3:-3, 20:25, 3:15] = True
    result = made(Recipe(5.0, 0.3, 1, "here"), {**options, "time": [0.0, 0.0]}, tissue=tissue)
    assert result.lesion.sum() == round(5 / 0.027) and result.lesion[SITE > 0].all()
    assert not result.lesion[:, 23:].any() and (result.image != IMAGE).sum() < 3 * result.lesion.sum()


def test_real_mask_is_scaled_to_the_volume(tmp_path: Path, options: dict) -> None:
    mask = np.zeros((10, 10, 10), dtype=np.uint8)
    mask[2:8, 4:7, 3:9] = 1
    nib.save(nib.Nifti1Image(mask, np.eye(4)), tmp_path / "real.nii")
    result = made(Recipe(5.4, 0.3, 1, "here"), {**options, "random_shapes": 0.0}, lesions=(read_lesion(tmp_path / "real.nii"),))
    assert result.source == "real" and result.lesion.sum() == 200


def test_same_seed_same_lesion(options: dict) -> None:
    recipe = Recipe(2.0, 0.3, 1, "here")
    assert np.array_equal(made(recipe, options, 5).image, made(recipe, options, 5).image)
    assert not np.array_equal(made(recipe, options, 5).image, made(recipe, options, 6).image)


def test_no_room_means_no_lesion(options: dict) -> None:
    assert made(Recipe(1.0, 0.3, 1, "here"), options, tissue=0 * BRAIN) is None


def test_centre_lies_deep_enough() -> None:
    region = describe_region(BRAIN, SPACING, "brain", AFFINE)
    centre = draw_centre(region, BRAIN.astype(float), 9.0, np.random.default_rng(0))
    assert all(5 <= c < n - 5 for c, n in zip(centre, BRAIN.shape, strict=True))
