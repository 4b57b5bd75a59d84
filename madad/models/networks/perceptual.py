"""A distance of images by the features of an encoder that was trained on healthy slices.

Source: the form of Zhang et al. 2018 (LPIPS, arXiv 1801.03924), eq. 1, without learnt weights, on features of our own encoder
instead of a network of photographs.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from madad.models.networks.resnet import ResNetEncoder
from madad.models.networks.tensor_layout import in_passes


class Perception(Protocol):
    """What the methods use of the part in their role `perception`."""

    encoder: ResNetEncoder


def perceptual_distance(perception: Perception | None, x: Tensor, y: Tensor, slices_per_pass: int) -> Tensor:
    """Return one minus the cosine of the features of two images at every place, the mean over stages, in [0, 1].

    Features are not negative, so that their cosine is not either.

    Args:
        perception: the part; None for a distance of 1 everywhere.
        x, y: (B, 1, H, W) in [0, 1].
        slices_per_pass: images that go through the encoder together.

    Returns:
        (B, 1, H, W).
    """
    if perception is None:
        return torch.ones_like(x)
    encoder = perception.encoder

    def distance(one: Tensor, other: Tensor) -> Tensor:
        stages = zip(encoder.pyramid(one), encoder.pyramid(other), strict=True)
        maps = [1 - functional.cosine_similarity(a, b, dim=1).unsqueeze(1) for a, b in stages]
        return torch.stack([functional.interpolate(each, one.shape[2:], mode="bilinear") for each in maps]).mean(0)

    return in_passes(distance, slices_per_pass, x, y).clamp(0, 1)
