"""Sequence models over the slices of a volume, in both directions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

MAX_HEADS = 8
# Wavelengths of the positions run up to 2 pi times this many slices.
LONGEST = 1000.0


class SliceGRU(nn.Module):
    """Gated recurrent units from below and from above; Cho et al. 2014 (arXiv 1406.1078).

    Args:
        size: of a slice's vector; each direction keeps half of it.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.units = nn.GRU(size, size // 2, batch_first=True, bidirectional=True)
        self.mix = nn.Linear(2 * (size // 2), size)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map (B, S, size) to the same shape: each slice's vector plus the contribution of its neighbours."""
        return vectors + self.mix(self.units(vectors)[0])


class SliceAttention(nn.Module):
    """One transformer encoder layer over slices that know their place; Vaswani et al. 2017 (arXiv 1706.03762).

    Args:
        size: of a slice's vector; even.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        heads = math.gcd(size, MAX_HEADS)
        self.layer = nn.TransformerEncoderLayer(size, heads, 2 * size, dropout=0.0, batch_first=True, norm_first=True)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map (B, S, size) to the same shape."""
        return self.layer(vectors + positions(vectors.shape[1], vectors.shape[2]).to(vectors))


def positions(count: int, size: int) -> Tensor:
    """Return sines and cosines (count, size) of positions 0 … count - 1; Vaswani et al., section 3.5, `LONGEST` for 10000."""
    rates = LONGEST ** (-torch.arange(0, size, 2) / size)
    angles = torch.arange(count).unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :size]
