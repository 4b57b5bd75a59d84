"""The networks of SparK: a residual encoder that sees the visible patches alone, and the decoder that fills in the others.

Source: Tian et al. 2023 (arXiv 2301.03580), section 3, in the size of Behrendt et al. 2023 (arXiv 2312.04215). The sparse
convolution is a dense one whose result is set to zero at hidden sites, so that an encoder trained here is an ordinary one
afterwards.

Masks are `visible` (B, 1, rows, columns) bool, one entry per patch; every finer grid is a multiple of theirs.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from madad.models.networks.resnet import BasicBlock, Bottleneck, ResNetEncoder

TOKEN_STD = 0.02


def draw_visible(count: int, grid: tuple[int, int], mask_ratio: float, generator: torch.Generator) -> Tensor:
    """Draw the patches that stay visible, uniformly and equally many in every image; SparK, section 3.

    Args:
        count: images.
        grid: rows and columns of patches.
        mask_ratio: share of hidden patches, rounded so that at least one patch is visible and one hidden.
        generator: CPU generator.

    Returns:
        (count, 1, rows, columns) bool on the CPU.
    """
    patches = grid[0] * grid[1]
    kept = min(max(round(patches * (1 - mask_ratio)), 1), patches - 1)
    ranks = torch.rand(count, patches, generator=generator).argsort(dim=1)
    return (ranks < kept).view(count, 1, *grid)


def on_grid_of(images: Tensor, visible: Tensor) -> Tensor:
    """Enlarge the mask to (B, 1, H, W) for images or features (B, C, H, W)."""
    rows, columns = (images.shape[axis] // visible.shape[axis] for axis in (2, 3))
    return visible.repeat_interleave(rows, dim=2).repeat_interleave(columns, dim=3)


def sparse_pyramid(encoder: ResNetEncoder, images: Tensor, visible: Tensor) -> list[Tensor]:
    """Compute the features of every stage of the encoder from the visible patches alone; SparK, section 3.

    Every convolution is followed by its norm, which leaves zeros at hidden sites.

    Args:
        encoder: weights and batch statistics; in training its running statistics follow the visible sites.
        images: (B, 1, H, W).
        visible: (B, 1, rows, columns).

    Returns:
        (B, C_i, H_i, W_i) for each stage, finest first; exactly 0 at hidden sites.
    """
    h = images * on_grid_of(images, visible)
    h = encoder.act(sparse_norm(encoder.bn1, encoder.conv1(h), visible))
    h = encoder.maxpool(h)
    h = h * on_grid_of(h, visible)
    pyramid = []
    for stage in encoder.stages:
        for block in stage:
            h = _sparse_block(block, h, visible)
        pyramid.append(h)
    return pyramid


def sparse_norm(norm: nn.Module, features: Tensor, visible: Tensor) -> Tensor:
    """Apply batch norm to the visible sites alone, running statistics included; hidden sites are 0."""
    sites = on_grid_of(features, visible).squeeze(1)
    values = norm(features.movedim(1, -1)[sites][:, :, None, None]).flatten(1)  # (sites, C)
    result = values.new_zeros(*sites.shape, values.shape[1])
    result[sites] = values
    return result.movedim(-1, 1)


def _sparse_block(block: nn.Module, x: Tensor, visible: Tensor) -> Tensor:
    if not isinstance(block, BasicBlock | Bottleneck):
        raise TypeError(f"a residual block is needed, not a {type(block).__name__}")
    h = x
    for index, (conv, norm) in enumerate(zip(block.convolutions, block.norms, strict=True)):
        h = sparse_norm(norm, conv(block.act(h) if index else h), visible)
    if isinstance(block.downsample, nn.Sequential):
        conv, norm = block.downsample
        x = sparse_norm(norm, conv(x), visible)
    return block.act(block.drop_path(h) + x)


class Densify(nn.Module):
    """Features of one stage with a learnt token at hidden sites, in the decoder's width; SparK, section 3.

    Args:
        inputs, outputs: channels of the encoder and of the decoder at this resolution.
        kernel: side of the lateral convolution.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.token = nn.Parameter(torch.empty(1, inputs, 1, 1))
        nn.init.trunc_normal_(self.token, std=TOKEN_STD, a=-TOKEN_STD, b=TOKEN_STD)
        self.lateral = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, features: Tensor, visible: Tensor) -> Tensor:
        """Map (B, C_in, H, W), 0 at hidden sites, to (B, C_out, H, W) without holes."""
        known = sparse_norm(self.norm, features, visible)
        return self.lateral(torch.where(on_grid_of(features, visible), known, self.token))


class Decoder(nn.Module):
    """From the densified pyramid to the image: every step doubles the resolution and halves the channels.

    Args:
        channels: at the coarsest resolution; a multiple of 2^steps.
        steps: doublings up to the image, of which the first take features of the pyramid.
    """

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        widths = [channels // 2**step for step in range(steps + 1)]
        self.steps = nn.ModuleList(_up(wide, narrow) for wide, narrow in pairwise(widths))
        self.head = nn.Conv2d(widths[-1], 1, 1)

    def forward(self, pyramid: list[Tensor]) -> Tensor:
        """Compute the image (B, 1, H, W) from features, coarsest first."""
        h = pyramid[0]
        for index, step in enumerate(self.steps):
            h = step(h + pyramid[index] if 0 < index < len(pyramid) else h)
        return self.head(h)


def _up(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, inputs, 4, stride=2, padding=1),
        nn.Conv2d(inputs, inputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU6(inplace=True),
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
    )
