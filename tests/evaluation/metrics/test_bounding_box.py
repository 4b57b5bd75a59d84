"""The box around a mask."""

import numpy as np

from madad.evaluation.metrics.bounding_box import bounding_box


def test_box_has_a_margin_where_the_image_has_room() -> None:
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[1, 4, 8] = mask[3, 4, 7] = True
    assert bounding_box(mask, 2) == (slice(0, 6), slice(2, 7), slice(5, 11))
    assert mask[bounding_box(mask)].shape == (3, 1, 2)
    assert mask[bounding_box(np.zeros_like(mask), 2)].size == 0
