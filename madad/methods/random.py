"""Uniform noise as anomaly map: the score of chance.

A lower reference of this project. Davis & Goadrich 2006, ICML, doi:10.1145/1143844.1143874, for chance on each curve.

1. Every brain voxel of a volume draws a number from [0, 1), independent of the image and of all other voxels.
2. Its expected average precision is the share of lesion voxels in the brain, its expected AUROC 1/2.
3. Outside the brain the map is 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from madad.models.untrained import Untrained


class Random(Untrained):
    """Uniform noise; no hyper-parameters."""

    def __init__(self) -> None:
        super().__init__()

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        """Return None: there is no reconstruction."""
        return None

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return noise (S, H, W) in [0, 1), 0 where `brain` is False."""
        return torch.rand(brain.shape, generator=generator).to(volume) * brain
