"""Lesion masks keep their volume on another grid, and vanish only when there is no room for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from madad.core.io.volumes import Volume, load_mask
from madad.data.preprocessing.steps import lesion_resampling
from madad.data.template import template_on_grid

FINE = Volume(np.zeros((40, 44, 36), dtype=np.uint8), np.diag([1.0, 1.0, 1.0, 1.0]))
COARSE = Volume(np.zeros((20, 22, 18), dtype=np.uint8), np.diag([2.0, 2.0, 2.0, 1.0]))


def balls(*centres_and_radii: tuple[tuple[float, float, float], float]) -> Volume:
    index = np.indices(FINE.array.shape)
    near = [sum((index[a] - c[a]) ** 2 for a in range(3)) <= r**2 for c, r in centres_and_radii]
    return FINE.with_array(np.any(near, axis=0).astype(np.uint8))


def turned(x: float, y: float, z: float, scale: float = 1.0) -> np.ndarray:
    """Return a rotation and a scaling about the middle of the volume."""
    middle, matrix = np.eye(4), np.eye(4)
    middle[:3, 3] = (20, 22, 18)
    matrix[:3, :3] = scale * Rotation.from_euler("xyz", (x, y, z), degrees=True).as_matrix()
    return middle @ matrix @ np.linalg.inv(middle)


def ml(mask: np.ndarray, grid: Volume) -> float:
    return float(mask.sum()) * grid.voxel_ml


def test_its_own_grid_changes_nothing() -> None:
    lesion = balls(((20, 22, 18), 4), ((8, 10, 10), 1))
    np.testing.assert_array_equal(lesion_resampling.carry(lesion, np.eye(4), FINE), lesion.array)


def test_whole_voxels_are_counted_exactly() -> None:
    block = FINE.with_array(np.zeros_like(FINE.array))
    block.array[10:14, 10:14, 10:14] = 1
    shifted = np.eye(4)
    # Voxel centres of the coarse grid then lie between two fine ones.
    shifted[:3, 3] = 0.5
    filled = lesion_resampling.fractions(block, shifted, COARSE)
    assert filled.sum() * COARSE.voxel_ml == pytest.approx(ml(block.array, FINE), rel=0.02)
    np.testing.assert_array_equal(
        np.argwhere(lesion_resampling.carry(block, shifted, COARSE)), np.argwhere(np.ones((2, 2, 2))) + 5
    )


@settings(max_examples=15, deadline=None)
@given(x=st.floats(-15, 15), y=st.floats(-15, 15), scale=st.floats(0.85, 1.15))
def test_volume_follows_the_determinant(x: float, y: float, scale: float) -> None:
    lesion = balls(((20, 22, 18), 5), ((12, 16, 12), 1.5), ((28, 30, 24), 1))
    matrix = turned(x, y, 5, scale)
    expected = lesion_resampling.volume_ml(lesion, matrix)
    assert expected == pytest.approx(ml(lesion.array, FINE) / scale**3)
    assert ml(lesion_resampling.carry(lesion, matrix, COARSE), COARSE) == pytest.approx(
        expected, abs=0.03 * expected + COARSE.voxel_ml / 2
    )


def test_a_threshold_of_one_half_would_lose_what_is_kept_here() -> None:
    small = balls(((20.5, 22.5, 18.5), 1.2))
    share = lesion_resampling.fractions(small, np.eye(4), COARSE)
    assert 0 < share.max() < 0.5
    assert lesion_resampling.carry(small, np.eye(4), COARSE).sum() == round(float(share.sum())) or share.sum() < 0.5


def test_the_smallest_lesion_keeps_one_voxel_and_nothing_stays_nothing() -> None:
    one = balls(((20, 22, 18), 0.5))
    assert ndimage.sum(lesion_resampling.carry(one, turned(0, 0, 0, 2.0), COARSE)) == 1
    away = np.eye(4)
    away[:3, 3] = 500
    assert not lesion_resampling.carry(one, away, COARSE).any()


def test_every_lesion_worth_a_voxel_is_still_counted() -> None:
    scattered = FINE.with_array(np.zeros_like(FINE.array))
    scattered.array[20:30, 20:30, 16:26] = 1
    # Six voxels of 1 mm that straddle the border of voxels of 2 mm, so that none is filled by a half.
    for corner in (5, 11, 17):
        scattered.array[corner : corner + 3, corner : corner + 2, 5] = 1
    shift = np.eye(4)
    shift[:3, 3] = (0.5, 0.5, 0.5)
    carried = lesion_resampling.carry(scattered, shift, COARSE)
    assert ndimage.label(carried, np.ones((3, 3, 3)))[1] == 4
    assert ml(carried, COARSE) == pytest.approx(ml(scattered.array, FINE), abs=0.6 * COARSE.voxel_ml)


def test_nothing_outside_the_field_of_view() -> None:
    full = FINE.with_array(np.ones_like(FINE.array))
    shift = np.eye(4)
    shift[0, 3] = 10.25
    carried = lesion_resampling.carry(full, shift, COARSE)
    # Centres at 2 i + 10.25 must lie below 39.5.
    assert carried[:15].all() and not carried[15:].any()


@pytest.mark.parametrize("spacing_mm", [2.0, 3.0])
def test_real_lesions_keep_their_volume(real_data: Path, spacing_mm: float) -> None:
    paths = sorted((real_data / "lesion-masks").glob("*/*.nii.gz"))[:: 328 // 4]
    assert paths
    matrix = turned(4, -3, 6, 0.95)
    grid = template_on_grid(spacing_mm).brain
    for path in paths:
        lesion = load_mask(path)
        expected = lesion_resampling.volume_ml(lesion, matrix)
        found = ml(lesion_resampling.carry(lesion, matrix, grid), grid)
        assert found == pytest.approx(expected, abs=max(0.05 * expected, grid.voxel_ml)), path.name
