from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from madad.evaluation.metrics.reconstruction import Reconstruction, whole_volume_l1
from madad.evaluation.protocol.metric_values import reconstruction_values

GENERATOR = np.random.default_rng(0)
IMAGE = GENERATOR.random((12, 16, 14)).astype(np.float32)
BRAIN = np.zeros(IMAGE.shape, dtype=bool)
BRAIN[2:10, 3:13, 3:11] = True


def fidelity(image: np.ndarray, reconstruction: np.ndarray, brain: np.ndarray) -> dict[str, float]:
    return reconstruction_values(Reconstruction(image, reconstruction, brain, np.zeros_like(brain)), healthy=True)


def tissue_l1(image: np.ndarray, reconstruction: np.ndarray, brain: np.ndarray, lesion: np.ndarray) -> dict[str, float]:
    return reconstruction_values(Reconstruction(image, reconstruction, brain, lesion), healthy=False)


def test_perfect_reconstruction() -> None:
    assert fidelity(IMAGE, IMAGE, BRAIN) == {"l1": 0, "psnr": np.inf, "ssim": pytest.approx(1)}


def test_l1_and_psnr_are_means_over_the_brain() -> None:
    worse = IMAGE + 0.1 * BRAIN + 5.0 * ~BRAIN
    values = fidelity(IMAGE, worse, BRAIN)
    assert values["l1"] == pytest.approx(0.1, abs=1e-6)
    assert values["psnr"] == pytest.approx(20, abs=1e-4)


def test_whole_volume_counts_the_background() -> None:
    assert whole_volume_l1(IMAGE, IMAGE + 0.1 * BRAIN) == pytest.approx(0.1 * BRAIN.mean(), abs=1e-6)


def test_ssim_equals_scikit_image_on_the_whole_volume() -> None:
    noisy = np.where(BRAIN, IMAGE + 0.1 * GENERATOR.standard_normal(IMAGE.shape), 0).astype(np.float32)
    _, whole = structural_similarity(np.where(BRAIN, IMAGE, 0), noisy, data_range=1.0, full=True)
    assert fidelity(IMAGE, noisy, BRAIN)["ssim"] == pytest.approx(whole[BRAIN].mean(), abs=1e-5)


def test_volume_thinner_than_the_window() -> None:
    assert fidelity(IMAGE[:4], IMAGE[:4], BRAIN[2:6])["ssim"] == pytest.approx(1)


def test_no_brain_is_undefined() -> None:
    assert np.isnan(list(fidelity(IMAGE, IMAGE, np.zeros_like(BRAIN)).values())).all()


def test_tissues_are_told_apart() -> None:
    lesion = np.zeros_like(BRAIN)
    lesion[3:5, 4:6, 4:6] = True
    lesion[0] = True  # outside the brain
    worse = IMAGE + 0.1 * BRAIN + 0.2 * lesion
    found = tissue_l1(IMAGE, worse, BRAIN, lesion)
    assert found == pytest.approx({"l1_lesion": 0.3, "l1_healthy_tissue": 0.1}, abs=1e-6)


def test_tissue_that_is_not_there_is_undefined() -> None:
    found = tissue_l1(IMAGE, IMAGE, BRAIN, BRAIN)
    assert found["l1_lesion"] == 0 and np.isnan(found["l1_healthy_tissue"])


@pytest.mark.parametrize("box", [(slice(0, 1), slice(3, 5), slice(0, 14)), (slice(11, 12), slice(14, 16), slice(12, 14))])
def test_ssim_of_a_brain_at_the_border_equals_scikit_image(box: tuple) -> None:
    brain = np.zeros_like(BRAIN)
    brain[box] = True
    noisy = np.where(brain, IMAGE + 0.1 * GENERATOR.standard_normal(IMAGE.shape), 0).astype(np.float32)
    _, whole = structural_similarity(np.where(brain, IMAGE, 0), noisy, data_range=1.0, full=True)
    assert fidelity(IMAGE, noisy, brain)["ssim"] == pytest.approx(whole[brain].mean(), abs=1e-5)


@pytest.mark.parametrize("slices", [1, 2])
def test_too_few_slices_for_a_window_have_no_similarity(slices: int) -> None:
    volume, brain = np.full((slices, 8, 8), 0.5, dtype=np.float32), np.ones((slices, 8, 8), dtype=bool)
    assert np.isnan(fidelity(volume, volume + 0.1, brain)["ssim"])
