"""Volumes as grids of vectors: cubes of voxels, or features of an encoder averaged over as many slices.

Source: the cubic tokens of Le-Gia & Ahn 2026 (arXiv 2602.15315) with sizes of our own, and the neighbourhoods of Li et al. 2024
(MuSc, ICLR).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core.seeds import torch_generator
from madad.models.networks.cell_features import BRAIN_SHARE, CellFeatures
from madad.models.networks.perceptual import Perception
from madad.models.networks.tensor_layout import in_passes

SIDE = 4  # voxels of a cube
WINDOWS = (1, 3)  # cells of the neighbourhoods
FEATURES = 64  # numbers of a token of features
STAGES = [1, 2]


class Tokens(nn.Module):
    """One vector for each cube of 4 voxels a side; volumes of fewer slices have cubes of all of them.

    Args:
        encoder: None for the voxels themselves, else features of its first two stages, in a fixed random projection.
        slices_per_pass: slices that go through the encoder together.
    """

    def __init__(self, encoder: Perception | None, slices_per_pass: int) -> None:
        super().__init__()
        self.features = None
        self.slices_per_pass = slices_per_pass
        if encoder is not None:
            self.features = CellFeatures(encoder, stages=STAGES, window=1, upsample=1, method="mutual_patches")
            matrix = torch.randn(FEATURES, self.features.channels, generator=torch_generator("projection of tokens"))
            self.register_buffer("projection", matrix / FEATURES**0.5)

    def forward(self, volume: Tensor) -> Tensor:
        """Return the tokens (D, s, h, w) of a volume (S, 1, H, W)."""
        whole = _filled_up(volume[:, 0])
        depth = _depth(len(volume))
        s, h, w = (side // cube for side, cube in zip(whole.shape, (depth, SIDE, SIDE), strict=True))
        if self.features is None:
            return whole.view(s, depth, h, SIDE, w, SIDE).permute(1, 3, 5, 0, 2, 4).flatten(0, 2)
        slices = in_passes(self.features, self.slices_per_pass, whole.unsqueeze(1))
        slices = functional.interpolate(slices, (h, w), mode="bilinear")
        cubes = slices.unflatten(0, (s, depth)).mean(dim=1).movedim(1, 0)
        return torch.einsum("kc,cshw->kshw", self.projection, cubes)

    def enlarged(self, scores: Tensor, sides: Sequence[int]) -> Tensor:
        """Return scores (s, h, w) on the voxels of the volume (S, H, W), trilinearly."""
        whole = (scores.shape[0] * _depth(sides[0]), scores.shape[1] * SIDE, scores.shape[2] * SIDE)
        larger = functional.interpolate(scores[None, None], whole, mode="trilinear", align_corners=False)[0, 0]
        return larger[tuple(slice(side) for side in sides)]


def brain_tokens(brain: Tensor) -> Tensor:
    """Return which cubes of a brain (S, H, W) bool are of it, (s, h, w) bool."""
    cube = (_depth(len(brain)), SIDE, SIDE)
    return functional.avg_pool3d(_filled_up(brain.float())[None, None], cube)[0, 0] >= BRAIN_SHARE


def averaged(tokens: Tensor, window: int) -> Tensor:
    """Return tokens (R, D, s, h, w) averaged over neighbourhoods of that many cells a side, with 0 beyond the border.

    Along an axis with a single cell nothing is averaged.
    """
    sides = [window if side > 1 else 1 for side in tokens.shape[2:]]
    border = [side // 2 for side in reversed(sides) for _ in range(2)]
    return functional.avg_pool3d(functional.pad(tokens, border), sides, stride=1)


def _depth(slices: int) -> int:
    return min(SIDE, slices)


def _filled_up(volume: Tensor) -> Tensor:
    """Return a volume (S, H, W) with zeros up to the next multiples of a cube's sides."""
    missing = [-side % cube for side, cube in zip(volume.shape, (_depth(len(volume)), SIDE, SIDE), strict=True)]
    return functional.pad(volume, (0, missing[2], 0, missing[1], 0, missing[0]))
