from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from madad.evaluation.fidelity import fidelity, whole_volume_l1

GENERATOR = np.random.default_rng(0)
IMAGE = GENERATOR.random((12, 16, 14)).astype(np.float32)
BRAIN = np.zeros(IMAGE.shape, dtype=bool)
BRAIN[2:10, 3:13, 3:11] = True


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
