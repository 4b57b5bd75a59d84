"""Moving average of the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from madad.engine.ema import averaged


def follow(decay: float, values: list[float]) -> float:
    method = nn.Linear(1, 1, bias=False)
    average = averaged(method, decay)
    for value in values:
        nn.init.constant_(method.weight, value)
        average.update_parameters(method)
    return average.module.weight.item()


def test_zero_decay_is_a_copy() -> None:
    assert follow(0.0, [1.0, 5.0, 3.0]) == 3.0


def test_early_decay_is_small() -> None:
    assert follow(0.999, [1.0, 2.0]) == pytest.approx(2 / 11 * 1 + 9 / 11 * 2)  # d = (1 + 1) / (10 + 1)


def test_late_decay_is_as_given() -> None:
    steady = [0.0] * 200
    assert follow(0.5, [*steady, 1.0]) == pytest.approx(0.5)


def test_constant_weights_stay() -> None:
    assert follow(0.99, [0.7] * 50) == pytest.approx(0.7)


def test_buffers_follow_and_counters_are_copied() -> None:
    method = nn.BatchNorm1d(1).train()
    average = averaged(method, 0.9)
    for _ in range(3):
        method(torch.randn(8, 1))
        average.update_parameters(method)
    assert average.module.num_batches_tracked == method.num_batches_tracked == 3
    assert average.module.running_mean != 0
