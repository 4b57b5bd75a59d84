from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from madad.evaluation.metrics.connected_components import components


def same_parts(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two numberings of the same voxels divide them alike."""
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    return len(pairs) == len(set(first.tolist())) == len(set(second.tolist()))


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.9])
def test_they_equal_those_of_scipy(share: float) -> None:
    mask = np.random.default_rng(1).random((9, 12, 11)) < share
    labels, number = ndimage.label(mask, np.ones((3, 3, 3)))
    found = components(mask)
    assert found.number == number
    assert np.array_equal(found.places, np.flatnonzero(mask))
    assert same_parts(found.members, labels[mask])
    firsts = np.unique(found.members, return_index=True)[1]
    assert np.array_equal(firsts, np.sort(firsts)), "numbered by their first voxels"
    sizes = np.sort(np.bincount(labels[mask])[1:])
    for voxels in (0, 1, 2, 5):
        assert found.at_least(voxels).sum() == (sizes >= voxels).sum()


@pytest.mark.parametrize("shape", [(3, 4, 5), (0, 0, 0), (1, 1, 1)])
def test_nothing_has_no_component(shape: tuple) -> None:
    found = components(np.zeros(shape, dtype=bool))
    assert (found.number, found.places.size, found.at_least(1).size) == (0, 0, 0)


def test_opposite_borders_do_not_touch() -> None:
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[0, 0, 2] = mask[0, 1, 0] = mask[2, 2, 2] = True
    assert components(mask).number == 3


def test_corners_touch() -> None:
    assert components(np.eye(3, dtype=bool)[:, :, None] & np.eye(3, dtype=bool)[:, None, :]).number == 1
