from __future__ import annotations

import numpy as np
import pytest

from madad.preprocessing import skull_strip
from madad.volumes import Volume

BRAIN = np.zeros((20, 22, 18), dtype=bool)
BRAIN[5:15, 6:16, 4:14] = True


@pytest.mark.parametrize("background", [0.0, 3e-6, -5.0])
def test_background_of_a_stripped_image_need_not_be_exactly_zero(background: float) -> None:
    image = np.where(BRAIN, 800.0, background).astype(np.float32)
    assert np.array_equal(skull_strip.nonzero(Volume(image, np.eye(4))), BRAIN)
