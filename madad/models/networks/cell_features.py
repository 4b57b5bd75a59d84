"""Features of a frozen encoder on a grid of cells, on one scale, for methods that compare or reconstruct them.

Source: the patch features of Roth et al. 2022 (PatchCore, arXiv 2106.08265), section 3.1; the standardisation is ours, because
the channels of an encoder that was trained on MRI differ in scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core.errors import UserError
from madad.models.networks.perceptual import Perception

BRAIN_SHARE = 0.5  # of a cell that is of the brain
SMALLEST_SD = 1e-3  # relative to the median of the channels


class JoinedFeatures(nn.Module):
    """Features of some stages of an encoder, averaged over neighbouring cells and joined on the grid of the finest.

    Args:
        perception: the part; its encoder stays as it is.
        stages: counted from 1, the finest first.
        window: side of the neighbourhood in cells, odd.
        upsample: factor by which slices are enlarged first, so that cells are smaller.
        method: its name, for errors.

    Attributes:
        channels: of the joined features.

    Raises:
        UserError: a stage that the encoder lacks.
    """

    def __init__(self, perception: Perception, *, stages: Sequence[int], window: int, upsample: int, method: str) -> None:
        super().__init__()
        self.encoder = perception.encoder
        if max(stages) > len(self.encoder.channels):
            raise UserError(
                f"{method}.parameters.stages: {list(stages)}, but the encoder has {len(self.encoder.channels)}; name fewer, or "
                "raise method_options.spark.parameters.encoder_stages"
            )
        self.stages, self.window, self.upsample = [stage - 1 for stage in sorted(stages)], window, upsample
        self.channels = sum(self.encoder.channels[stage] for stage in self.stages)

    @torch.no_grad()
    def raw(self, images: Tensor) -> Tensor:
        """Return the joined features (B, C, h, w) of images (B, 1, H, W) as they are."""
        pyramid = self.encoder.pyramid(enlarged(images, self.upsample))
        chosen = [functional.avg_pool2d(pyramid[stage], self.window, 1, self.window // 2) for stage in self.stages]
        grid = chosen[0].shape[2:]
        return torch.cat([functional.interpolate(one, grid, mode="bilinear") for one in chosen], dim=1)


class CellFeatures(JoinedFeatures):
    """Joined features on the scale of healthy brains, which a fit measures; arguments as of `JoinedFeatures`.

    Attributes:
        mean, sd: (C,) of healthy cells of the brain, 0 and 1 before `standardise`.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, perception: Perception, *, stages: Sequence[int], window: int, upsample: int, method: str) -> None:
        super().__init__(perception, stages=stages, window=window, upsample=upsample, method=method)
        self.register_buffer("mean", torch.zeros(self.channels))
        self.register_buffer("sd", torch.ones(self.channels))

    def forward(self, images: Tensor) -> Tensor:
        """Return the standardised features (B, C, h, w) of images (B, 1, H, W)."""
        return (self.raw(images) - self.mean.view(1, -1, 1, 1)) / self.sd.view(1, -1, 1, 1)

    def standardise(self, total: Tensor, squares: Tensor, count: int) -> None:
        """Set mean and standard deviation from sums (C,) over `count` healthy cells, in float64."""
        mean = total / max(count, 1)
        sd = (squares / max(count, 1) - mean.square()).clamp_min(0).sqrt()
        floor = SMALLEST_SD * sd.median()
        self.mean = mean.float()
        self.sd = torch.where(sd > 0, sd.clamp_min(floor), torch.ones(())).float()


def enlarged(images: Tensor, factor: int) -> Tensor:
    """Return images (B, 1, H, W) with sides that are `factor` times as long."""
    return functional.interpolate(images, scale_factor=factor, mode="bilinear") if factor > 1 else images


def brain_cells(brain: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Return which cells of a grid are of the brain (B, 1, H, W) bool, (B, h, w) bool."""
    return functional.adaptive_avg_pool2d(brain.float(), (grid[0], grid[1]))[:, 0] >= BRAIN_SHARE


def take(features: Tensor, cells: Tensor) -> Tensor:
    """Return the features (B, C, h, w) at chosen cells (B, h, w) bool as rows (N, C)."""
    return features.movedim(1, -1)[cells]
