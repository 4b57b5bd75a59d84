"""Moving average of the weights during training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged(method: nn.Module, decay: float) -> AveragedModel:
    """Return a copy of a method that averages its weights: w' = d w' + (1 - d) w after every step, buffers included.

    d rises as min(decay, (1 + n) / (10 + n)) with the number n of updates, so that the first weights soon lose their influence.
    Source: Kingma & Ba 2014 (arXiv 1412.6980), section 7.2; the rise is that of TensorFlow's ExponentialMovingAverage.

    Args:
        method: the method whose weights are averaged.
        decay: largest d; 0 gives a plain copy.
    """

    @torch.no_grad()
    def update(averages: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        if not averages[0].is_floating_point():  # counters among the buffers
            torch._foreach_copy_(list(averages), list(current))
            return
        n = float(count)
        weight = 1 - min(decay, (1 + n) / (10 + n)) if decay > 0 else 1.0
        torch._foreach_lerp_(list(averages), list(current), weight)

    return AveragedModel(method, multi_avg_fn=update, use_buffers=True)
