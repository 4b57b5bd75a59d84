"""Errors of a predicted image."""

from __future__ import annotations

import pytest
import torch

from madad.models.diffusion.losses import LOSSES


@pytest.mark.parametrize(("name", "value"), [("l1", 1.0), ("l2", 2.0)])
def test_loss_is_the_mean_over_all_voxels(name: str, value: float) -> None:
    target = torch.zeros(2, 1, 1, 2)
    assert LOSSES[name](torch.tensor([0.0, 2.0]).expand_as(target), target).item() == value
