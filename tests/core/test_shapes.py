from __future__ import annotations

import numpy as np
import pytest

from madad.core.shapes import box3, shape3, vector3


def test_numbers_of_numpy_become_those_of_python() -> None:
    assert shape3(np.array([1, 2, 3])) == (1, 2, 3) and all(type(size) is int for size in shape3(np.array([1, 2, 3])))
    assert vector3(np.array([0.5, 1.0, 2.0])) == (0.5, 1.0, 2.0) and type(vector3(np.ones(3))[0]) is float


@pytest.mark.parametrize("number", [2, 4])
def test_other_numbers_of_axes_are_refused(number: int) -> None:
    for convert in (shape3, vector3):
        with pytest.raises(ValueError, match="unpack"):
            convert(range(number))
    with pytest.raises(ValueError, match="unpack"):
        box3([slice(None)] * number)
