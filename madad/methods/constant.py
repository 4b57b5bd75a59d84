"""The brain mask as anomaly map: every brain voxel is equally suspicious.

A lower reference of this project: the value of each metric when the whole brain is marked.

1. Brain voxels are 1.
2. Outside the brain the map is 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from madad.models.untrained import Untrained


class Constant(Untrained):
    """The mask; no hyper-parameters."""

    def __init__(self) -> None:
        super().__init__()

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        """Return None: there is no reconstruction."""
        return None

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return 1 where `brain` (S, H, W) is True, else 0."""
        return brain.to(volume.dtype)
