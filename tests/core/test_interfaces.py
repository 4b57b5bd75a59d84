from __future__ import annotations

import pytest

from madad.core.interfaces import Fitted, Method, Trainable, conforming
from tests.engine import toy


def test_a_method_conforms_to_what_it_has() -> None:
    method = toy.denoiser()
    assert conforming(method, Method) is method and conforming(method, Trainable) is method


def test_what_lacks_an_attribute_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="Denoiser is no Fitted"):
        conforming(toy.denoiser(), Fitted)
    bare = toy.denoiser()
    del bare.trained_with
    with pytest.raises(TypeError, match="Denoiser is no Method"):
        conforming(bare, Method)
