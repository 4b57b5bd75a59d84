"""The student of reverse distillation: a bottleneck that joins a teacher's features, and a decoder that gives them back.

Source: Deng & Li 2022 (RD4AD, arXiv 2201.10703), section 3, for encoders with any number of stages.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core.errors import UserError


class Student(nn.Module):
    """From features of all stages of a teacher, finest first, to estimates of the same.

    Args:
        channels: of the teacher's stages, each of half the resolution of the one before.
        blocks: residual blocks in every stage.
    """

    def __init__(self, channels: Sequence[int], blocks: int) -> None:
        super().__init__()
        deepest = channels[-1]
        self.condense = nn.ModuleList(_halvings(channels[place:]) for place in range(len(channels)))
        self.bottleneck = _stage(len(channels) * deepest, 2 * deepest, blocks, "down")
        widths = [2 * deepest, *reversed(channels)]
        self.stages = nn.ModuleList(_stage(a, b, blocks, "up") for a, b in itertools.pairwise(widths))

    def forward(self, pyramid: Sequence[Tensor]) -> list[Tensor]:
        """Return estimates (B, C_i, H_i, W_i) of the teacher's features, finest first.

        Raises:
            UserError: the coarsest features cannot be halved.
        """
        rows, columns = pyramid[-1].shape[2:]
        if rows % 2 or columns % 2:
            raise UserError(
                f"rd4ad.parameters.upsample: the encoder's last features have {rows} x {columns} cells, and both must be even; "
                "raise upsample, take an encoder with fewer stages, or change the pipeline's spacing_mm"
            )
        h = self.bottleneck(torch.cat([condense(one) for condense, one in zip(self.condense, pyramid, strict=True)], dim=1))
        found = []
        for stage in self.stages:
            h = stage(h)
            found.append(h)
        return found[::-1]


class _Block(nn.Module):
    """Two convolutions with batch norm beside a shortcut, of which the first may halve or double the resolution."""

    def __init__(self, inputs: int, outputs: int, resample: str | None) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            _resampling(inputs, outputs, 3, resample),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.skip: nn.Module = nn.Identity()
        if resample or inputs != outputs:
            self.skip = nn.Sequential(_resampling(inputs, outputs, 1, resample), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.skip(x) + self.branch(x))


def _resampling(inputs: int, outputs: int, kernel: int, resample: str | None) -> nn.Module:
    if resample == "up":
        return nn.ConvTranspose2d(inputs, outputs, 2, stride=2, bias=False)
    return nn.Conv2d(inputs, outputs, kernel, stride=2 if resample else 1, padding=kernel // 2, bias=False)


def _stage(inputs: int, outputs: int, blocks: int, resample: str) -> nn.Sequential:
    return nn.Sequential(_Block(inputs, outputs, resample), *(_Block(outputs, outputs, None) for _ in range(blocks - 1)))


def _halvings(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)
