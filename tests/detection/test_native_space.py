"""There and back: a lesion's mask from the space of a scan to the template and back keeps its place and volume."""

from __future__ import annotations

import numpy as np
import pytest

from madad.core.io.volumes import Volume
from madad.data import template
from madad.data.preprocessing.steps import lesion_resampling
from madad.detection import native_space
from tests.detection import scans

# A scan of 2 mm whose axes run to the left, to the back and upwards, and its map to a template of 2 mm.
SHAPE = (90, 110, 90)
AFFINE = np.array([[-2.0, 0, 0, 98], [0, -2, 0, 92], [0, 0, 2, -66], [0, 0, 0, 1]])


def ellipsoid(volume_ml: float) -> np.ndarray:
    points = np.moveaxis(np.indices(SHAPE), 0, -1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    centre = scans.MOVED[:3, :3] @ scans.CENTRE + scans.MOVED[:3, 3]
    radius = (3000 * volume_ml / (4 * np.pi)) ** (1 / 3)
    return np.linalg.norm((points - centre) / (radius * np.array([1.25, 1.0, 0.8])), axis=-1) < 1


@pytest.mark.parametrize("volume_ml", [1.0, 5.0, 20.0])
def test_a_mask_survives_the_round_trip(volume_ml: float) -> None:
    mask, grid = ellipsoid(volume_ml), template.template_on_grid(2.0)
    scan = Volume(mask.astype(np.uint8), AFFINE)
    there = lesion_resampling.carry(scan, scans.MOVED, grid.brain)
    back = native_space.carry_mask(grid.brain.with_array(there), scans.MOVED, scan).array > 0
    assert 2 * (mask & back).sum() / (mask.sum() + back.sum()) > 0.93
    assert back.sum() == pytest.approx(mask.sum(), rel=0.03)


def test_a_map_comes_back_to_where_it_was() -> None:
    grid, scan = template.template_on_grid(4.0), Volume(np.zeros(SHAPE, dtype=np.uint8), AFFINE)
    index = np.moveaxis(np.indices(grid.t1w.array.shape), 0, -1)
    points = index @ grid.t1w.affine[:3, :3].T + grid.t1w.affine[:3, 3]
    smooth = np.exp(-((np.linalg.norm(points - scans.CENTRE, axis=-1) / 12) ** 2)).astype(np.float32)
    carried = native_space.carry_map(grid.t1w.with_array(smooth), scans.MOVED, scan)
    peak = AFFINE @ [*np.unravel_index(carried.array.argmax(), SHAPE), 1]
    assert np.linalg.norm(peak[:3] - (scans.MOVED @ [*scans.CENTRE, 1])[:3]) < 2
    assert carried.array.max() == pytest.approx(1, abs=0.05) and carried.array.shape == SHAPE
