"""Distance to the border of the brain as anomaly map: the score of the mask's shape alone.

A lower reference of this project; the distance is that of Maurer et al. 2003, doi:10.1109/TPAMI.2003.1177156.

1. Every brain voxel's Euclidean distance in 3D to the nearest voxel outside the brain; what lies beyond the image is outside.
2. `deep`: the distance is the map. Lesions lie inside, residuals of a reconstruction at the rim.
3. `shallow`: one over it. This is the reference for maps whose score comes from the brain's edge.
4. Outside the brain the map is 0.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from madad.models.untrained import Untrained


class EdgeDistance(Untrained):
    """Distance to the border; hyper-parameters as in the card."""

    def __init__(self, *, direction: str) -> None:
        super().__init__()
        self.direction = direction

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        """Return None: there is no reconstruction."""
        return None

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the distance in voxels, or one over it, (S, H, W); 0 where `brain` is False."""
        inside = np.pad(brain.cpu().numpy(), 1)
        distance = torch.from_numpy(distance_transform_edt(inside)[1:-1, 1:-1, 1:-1]).to(volume)
        return distance if self.direction == "deep" else distance.clamp(min=1).reciprocal() * brain
