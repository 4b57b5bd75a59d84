"""The brain mask as anomaly map: every brain voxel is as suspicious as any other.

A floor of this project: what a metric gives for marking the whole brain, and so what it gives away.

1. Brain voxels are 1.
2. Outside the brain the map is 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from madad.core.interfaces import Batch


class Constant(nn.Module):
    """The mask; no hyper-parameters."""

    def __init__(self) -> None:
        super().__init__()

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Nothing to learn."""
        return {"loss": batch["image"].new_zeros(())}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        """No reconstruction."""
        return None

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """1 where `brain` (S, H, W) is True, else 0."""
        return brain.to(volume.dtype)
