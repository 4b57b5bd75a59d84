"""Residuals between an image and its reconstruction."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch.nn import functional

TAILS = {
    "both": Tensor.abs,
    "bright": lambda difference: difference.clamp(min=0),
    "dark": lambda difference: (-difference).clamp(min=0),
}


def residual(volume: Tensor, reconstruction: Tensor | None, tail: str = "both") -> Tensor:
    """Return |x - x'| of each voxel, (S, H, W), the mean over the channels of (S, C, H, W).

    Args:
        volume, reconstruction: (S, C, H, W).
        tail: "bright" for x - x' and "dark" for x' - x, cut at 0.

    Raises:
        ValueError: no reconstruction.
    """
    return TAILS[tail](volume - _given(reconstruction)).mean(dim=1)


def shift_robust_residual(volume: Tensor, reconstruction: Tensor | None, shift: int, spatial_dims: int) -> Tensor:
    """Return A(v) = min |x(v) - x'(v - d)| over displacements d of at most `shift` voxels per axis.

    Source: the released code of Lawry Aguila et al. 2025 (arXiv 2506.10233), where the shifts wrap around; here voxels
    from outside the image are ignored. Edges that are displaced by a voxel do not count, nor do lesions that thin.

    Args:
        volume, reconstruction: (S, C, H, W).
        shift: 0 for the plain residual.
        spatial_dims: 2 to shift within slices, 3 to shift between them as well.

    Returns:
        (S, H, W), the mean over channels; only one shifted copy is held at a time.

    Raises:
        ValueError: no reconstruction.
    """
    between = shift if spatial_dims == 3 else 0
    slices, _, rows, columns = volume.shape
    margins = (shift, shift, shift, shift, 0, 0, between, between)
    padded = functional.pad(_given(reconstruction), margins, value=torch.inf)
    smallest = torch.full((slices, rows, columns), torch.inf, dtype=volume.dtype, device=volume.device)
    for s, h, w in itertools.product(range(2 * between + 1), range(2 * shift + 1), range(2 * shift + 1)):
        shifted = padded[s : s + slices, :, h : h + rows, w : w + columns]
        smallest = torch.minimum(smallest, (volume - shifted).abs().mean(dim=1))
    return smallest


def _given(reconstruction: Tensor | None) -> Tensor:
    if reconstruction is None:
        raise ValueError("a residual needs the reconstruction")
    return reconstruction
