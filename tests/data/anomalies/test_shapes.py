from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from madad.data.anomalies.shapes import blob, exact_share, radius

GRIDS = [(20, 24, 22), (40, 36)]


def made(seed: int, voxels: int, inside: np.ndarray, rim: float = 1.5) -> np.ndarray:
    centre = np.array([n // 2 for n in inside.shape])
    return blob(inside, centre, voxels, rim, np.random.default_rng(seed))


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), voxels=st.integers(1, 400))
@pytest.mark.parametrize("grid", GRIDS)
def test_blob_has_exactly_the_wanted_voxels(grid: tuple[int, ...], seed: int, voxels: int) -> None:
    share = made(seed, voxels, np.ones(grid, dtype=bool))
    assert (share >= 0.5).sum() == voxels and share.dtype == np.float32 and share.max() <= 1


def test_blob_stays_inside() -> None:
    inside = np.zeros(GRIDS[0], dtype=bool)
    inside[:, :13] = True
    share = made(1, 300, inside)
    assert share[~inside].max() == 0 and (share >= 0.5).sum() == 300


def test_blob_larger_than_the_room_takes_all_of_it() -> None:
    inside = np.zeros(GRIDS[0], dtype=bool)
    inside[9:11, 11:13, 10:12] = True
    assert (made(1, 500, inside) >= 0.5).sum() == 8


def test_no_room_gives_no_lesion() -> None:
    assert made(1, 10, np.zeros(GRIDS[0], dtype=bool)).max() == 0


@pytest.mark.parametrize("seed", range(4))
def test_blob_is_nearly_one_piece_around_its_centre(seed: int) -> None:
    lesion = made(seed, 270, np.ones(GRIDS[0], dtype=bool)) >= 0.5
    labels, _ = ndimage.label(lesion, np.ones((3, 3, 3)))
    assert np.bincount(labels.ravel())[1:].max() >= 0.9 * lesion.sum()
    assert np.abs(np.array(ndimage.center_of_mass(lesion)) - [10, 12, 11]).max() < 4


def test_blobs_differ_and_repeat() -> None:
    everywhere = np.ones(GRIDS[1], dtype=bool)
    assert np.array_equal(made(3, 90, everywhere), made(3, 90, everywhere))
    assert not np.array_equal(made(3, 90, everywhere), made(4, 90, everywhere))


def test_blob_in_a_corner() -> None:
    share = blob(np.ones((12, 12), dtype=bool), np.array([0, 11]), 9, 1.5, np.random.default_rng(0))
    assert (share >= 0.5).sum() == 9


def test_rim_has_the_wanted_width() -> None:
    ramp = -np.abs(np.arange(41.0) - 20)[:, None] * np.ones((1, 5))
    share = exact_share(ramp, np.ones(ramp.shape, dtype=bool), 15 * 5, rim=4.0)
    assert ((share > 0) & (share < 1))[:, 2].sum() == pytest.approx(2 * 4, abs=2)


def test_equal_values_do_not_make_it_larger() -> None:
    share = exact_share(np.zeros((6, 6)), np.ones((6, 6), dtype=bool), 5, 2.0)
    assert (share >= 0.5).sum() == 5


@pytest.mark.parametrize(("dims", "voxels"), [(2, np.pi * 9), (3, 4 / 3 * np.pi * 27)])
def test_radius_of_a_ball(dims: int, voxels: float) -> None:
    assert radius(voxels, dims) == pytest.approx(3)
