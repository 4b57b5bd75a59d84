"""A bank of vectors: which to keep, and how far others are from it.

Source: Sener & Savarese 2018 (arXiv 1708.00489), algorithm 1, for the greedy choice, as Roth et al. 2022 (PatchCore, arXiv
2106.08265) use it with distances after a random projection.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

ROWS = 1024  # vectors that are compared with the bank together
DISTORTION = 0.9  # of distances by the projection, at most, as PatchCore takes it


def nearest_distance(vectors: Tensor, bank: Tensor) -> Tensor:
    """Return the Euclidean distance of every vector (N, C) to the nearest of the bank (M, C), (N,), from differences."""
    parts = [torch.cdist(part, bank, compute_mode="donot_use_mm_for_euclid_dist").amin(dim=1) for part in vectors.split(ROWS)]
    return torch.cat(parts) if parts else vectors.new_zeros(0)


def spread_out(vectors: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Choose vectors (N, C) greedily, each the farthest from those before it, the first at random; return their indices.

    Distances are those of a random projection (Johnson & Lindenstrauss) where that has fewer dimensions.
    """
    if not len(vectors):
        return torch.zeros(0, dtype=torch.long)
    projected = _projected(vectors, generator)
    chosen = [int(torch.randint(len(vectors), (), generator=generator))]
    distance = torch.full((len(vectors),), torch.inf, dtype=projected.dtype)
    while len(chosen) < min(number, len(vectors)):
        distance = torch.minimum(distance, (projected - projected[chosen[-1]]).square().sum(dim=1))
        chosen.append(int(distance.argmax()))
    return torch.tensor(chosen)


def _projected(vectors: Tensor, generator: torch.Generator) -> Tensor:
    enough = math.ceil(4 * math.log(max(len(vectors), 2)) / (DISTORTION**2 / 2 - DISTORTION**3 / 3))
    if vectors.shape[1] <= enough:
        return vectors
    return vectors @ (torch.randn(vectors.shape[1], enough, generator=generator) / enough**0.5)
