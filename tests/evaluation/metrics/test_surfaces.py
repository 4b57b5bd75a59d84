from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance
from scipy import ndimage

from madad.evaluation.protocol.metric_values import surface_values

pytestmark = pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")
SPACINGS = [(1.0, 1.0, 1.0), (3.0, 3.0, 3.0), (5.0, 0.9, 1.3)]


def blobs(seed: int, share: float) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((12, 17, 14)), 1.2)
    return noise > np.quantile(noise, 1 - share)


def by_monai(prediction: np.ndarray, reference: np.ndarray, spacing: tuple[float, ...]) -> float:
    pair = [torch.from_numpy(mask)[None, None].float() for mask in (prediction, reference)]
    return float(compute_hausdorff_distance(*pair, percentile=95, include_background=True, spacing=spacing))


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", range(6))
def test_surfaces_equal_monai(seed: int, spacing: tuple[float, ...]) -> None:
    prediction, reference = blobs(seed, 0.3 / (seed + 1)), blobs(seed + 100, 0.2)
    assert surface_values(prediction, reference, spacing)["hd95"] == pytest.approx(
        by_monai(prediction, reference, spacing), rel=1e-5
    )


@pytest.mark.parametrize("spacing", SPACINGS)
def test_surfaces_at_the_border_of_the_image_equal_monai(spacing: tuple[float, ...]) -> None:
    prediction, reference = np.ones((4, 5, 6), dtype=bool), np.zeros((4, 5, 6), dtype=bool)
    reference[:2, :, 3:] = True
    assert surface_values(prediction, reference, spacing)["hd95"] == pytest.approx(
        by_monai(prediction, reference, spacing), rel=1e-5
    )


# Of the package surface-distance 0.1: compute_surface_dice_at_tolerance at 2 mm.
BY_AREA = (0.8792554706739802, 0.8592922976759825, 0.9427810285067185, 0.879329216705721, 0.8886521178919305, 0.889664900004671)


def test_surface_dice_is_that_of_the_package_by_area() -> None:
    generator, spacings = np.random.default_rng(0), ((2, 2, 2), (3, 1, 1), (1, 1, 1)) * 2
    for spacing, expected in zip(spacings, BY_AREA, strict=True):
        noise = ndimage.gaussian_filter(generator.standard_normal((20, 24, 22)), 2)
        other = noise + 0.6 * ndimage.gaussian_filter(generator.standard_normal(noise.shape), 2)
        found = surface_values(noise > noise.std(), other > noise.std(), spacing)["nsd_2mm"]
        assert found == pytest.approx(expected, abs=5e-4)


def test_single_voxels_are_their_own_surface() -> None:
    prediction, reference = (np.zeros((5, 5, 5), dtype=bool) for _ in range(2))
    prediction[0, 0, 0] = reference[3, 0, 4] = True
    assert surface_values(prediction, reference, (2.0, 1.0, 2.0)) == {"hd95": 10.0, "hd95_penalty": 0.0, "nsd_2mm": 0.0}


def test_axes_are_not_mixed_up() -> None:
    prediction, reference = (np.zeros((6, 6, 6), dtype=bool) for _ in range(2))
    prediction[1, 2, 3], reference[2, 2, 3] = True, True
    assert surface_values(prediction, reference, (7.0, 1.0, 1.0))["hd95"] == 7
    assert surface_values(prediction.T, reference.T, (7.0, 1.0, 1.0))["hd95"] == 1


def test_oracle_is_perfect() -> None:
    mask = blobs(7, 0.1)
    assert surface_values(mask, mask, (3.0, 3.0, 3.0)) == {"hd95": 0.0, "hd95_penalty": 0.0, "nsd_2mm": 1.0}


def test_rounded_spacing_does_not_change_what_is_near() -> None:
    prediction, reference = (np.zeros((1, 1, 9), dtype=bool) for _ in range(2))
    prediction[..., 0] = reference[..., 3] = True
    assert surface_values(prediction, reference, (1.0, 1.0, 0.6666668))["nsd_2mm"] == 1


def test_one_empty_mask_costs_the_diagonal() -> None:
    nothing, something = np.zeros((3, 4, 12), dtype=bool), np.ones((3, 4, 12), dtype=bool)
    for pair in ((nothing, something), (something, nothing)):
        assert surface_values(*pair, (1.0, 1.0, 1.0)) == {"hd95": 13.0, "hd95_penalty": 1.0, "nsd_2mm": 0.0}
    assert surface_values(something, nothing, (2.0, 2.0, 2.0))["hd95"] == 26.0


def test_two_empty_masks_agree() -> None:
    nothing = np.zeros((3, 4, 12), dtype=bool)
    assert surface_values(nothing, nothing, (1.0, 1.0, 1.0)) == {"hd95": 0.0, "hd95_penalty": 0.0, "nsd_2mm": 1.0}
