"""Dissimilarity of codes: a score for every slice from any autoencoder, none for single voxels.

Albu, Enescu & Malagò 2020, NLDL, doi:10.7557/18.5172, arXiv 2007.12528.

1. An autoencoder of healthy brains (role `model`) reconstructs the image: x'.
2. An encoder (role `judge`, in the paper that of a second autoencoder; by default the model's own) encodes x and x'.
3. Score of a slice: the distance between the two codes, Euclidean or of the angle. An encoder of whole volumes gives one score.
4. Map: every brain voxel of a slice has the slice's score. It scores slices and subjects, and does not localise.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from madad.core.interfaces import Encoding
from madad.models.untrained import Untrained

DISTANCES = {
    "euclidean": lambda a, b: (a - b).norm(dim=1),
    "cosine": lambda a, b: 1 - functional.cosine_similarity(a, b, dim=1),
}


class AlbuDissimilarity(Untrained):
    """Score head on autoencoders; hyper-parameters as in the card."""

    def __init__(self, *, model: Encoding, judge: Encoding | None, distance: str) -> None:
        super().__init__()
        self.model = model
        self.judge = judge
        self.distance = DISTANCES[distance]

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor | None:
        """Return the model's pseudo-healthy volume (S, 1, H, W)."""
        return self.model.reconstruct(volume, generator)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the score of each voxel's slice (S, H, W); 0 where `brain` is False."""
        if reconstruction is None:
            raise ValueError("the score compares the codes of an image and of its reconstruction")
        encode = (self.judge or self.model).encode
        scores = self.distance(encode(volume), encode(reconstruction))
        return scores.view(-1, 1, 1) * brain
