"""Equalised intensity as anomaly map."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from madad.methods.intensity import Intensity, equalised

ALL = torch.ones(1, 1, 4, dtype=torch.bool)


def values(*numbers: float) -> torch.Tensor:
    return torch.tensor([[numbers]], dtype=torch.float32)


def map_of(tail: str, image: torch.Tensor, brain: torch.Tensor) -> torch.Tensor:
    return Intensity(tail=tail).anomaly_map(image.unsqueeze(1), None, brain, torch.Generator())


def test_equalised_is_the_share_of_darker_voxels() -> None:
    assert equalised(values(0.1, 0.9, 0.3, 0.2), ALL).flatten().tolist() == [0.125, 0.875, 0.625, 0.375]


def test_equal_voxels_are_equal() -> None:
    assert equalised(values(0.5, 0.5, 0.5, 0.5), ALL).flatten().tolist() == [0.5] * 4


def test_background_does_not_count() -> None:
    brain = torch.tensor([[[False, True, True, False]]])
    assert map_of("bright", values(0.0, 0.2, 0.4, 0.0), brain).flatten().tolist() == [0, 0.25, 0.75, 0]


@pytest.mark.parametrize(("tail", "first"), [("bright", 1), ("dark", 0), ("both", 0)])
def test_tail_decides_what_is_suspicious(tail: str, first: int) -> None:
    assert map_of(tail, values(0.0, 0.9, 0.5, 0.51), ALL).flatten().argmax().item() == first


def test_volume_without_brain_is_zero() -> None:
    assert (map_of("dark", torch.rand(2, 3, 3), torch.zeros(2, 3, 3, dtype=torch.bool)) == 0).all()


@given(st.floats(0.2, 5))
@settings(deadline=None, max_examples=10)
def test_only_the_order_of_intensities_matters(gamma: float) -> None:
    image, brain = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0)) + 0.1, torch.ones(2, 5, 5, dtype=torch.bool)
    assert torch.equal(equalised(image, brain), equalised(image.double().pow(gamma), brain).float())
