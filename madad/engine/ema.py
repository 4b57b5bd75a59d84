"""Moving average of the weights during training."""

from __future__ import annotations

import copy
import itertools

import torch
from torch import Tensor, nn


class Average(nn.Module):
    """A copy of a method that averages its weights: w' = d w' + (1 - d) w after every step, buffers included.

    d rises as min(decay, (1 + n) / (10 + n)) with the number n of updates, so that the first weights soon lose their influence.
    Source: Kingma & Ba 2014 (arXiv 1412.6980), section 7.2; the rise is that of TensorFlow's ExponentialMovingAverage.

    The number of updates is kept by the host: a number in the memory of a GPU would have to be waited for at every step, as in
    `torch.optim.swa_utils.AveragedModel`.

    Attributes:
        module: the copy.
    """

    def __init__(self, method: nn.Module, decay: float) -> None:
        super().__init__()
        self.module = copy.deepcopy(method)
        self._decay, self._count = decay, 0

    @torch.no_grad()
    def update_parameters(self, method: nn.Module) -> None:
        """Take in the weights of the method after a step."""
        pairs = list(zip(_tensors(self.module), _tensors(method), strict=True))
        # the first update is a copy, and so are those of counters among the buffers
        copied = [pair for pair in pairs if not (self._count and pair[0].is_floating_point())]
        averaged = [pair for pair in pairs if self._count and pair[0].is_floating_point()]
        if copied:
            torch._foreach_copy_([own for own, _ in copied], [given for _, given in copied])
        if averaged:
            rise = (1 + self._count) / (10 + self._count)
            weight = 1 - min(self._decay, rise) if self._decay > 0 else 1.0
            torch._foreach_lerp_([own for own, _ in averaged], [given for _, given in averaged], weight)
        self._count += 1

    def get_extra_state(self) -> int:
        """Return the number of updates, for `state_dict`."""
        return self._count

    def set_extra_state(self, state: int) -> None:
        """Take the number of updates from a state."""
        self._count = int(state)


def averaged(method: nn.Module, decay: float) -> Average:
    """Return a copy of a method that averages its weights.

    Args:
        method: the method whose weights are averaged.
        decay: largest d; 0 gives a plain copy.
    """
    return Average(method, decay)


def _tensors(method: nn.Module) -> itertools.chain[Tensor]:
    return itertools.chain(method.parameters(), method.buffers())
