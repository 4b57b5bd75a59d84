"""Learning at one go, for methods that need no steps: everything healthy is shown once, in the order of the pack."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from madad.core.interfaces import Batch
from madad.core.logs import progress
from madad.core.seeds import torch_generator
from madad.engine import devices
from madad.engine.outputs import Outcome
from madad.engine.training_data import Images


@torch.no_grad()
def fitted(method: nn.Module, data: Images, seed: int, device: torch.device) -> Outcome:
    """What a method's `fit` learns from the data; interrupted, it starts again."""
    method = devices.place(method, device).eval()
    begun = time.monotonic()
    method.fit(_InOrder(data, device), torch_generator(seed, "fit"))
    return Outcome(method.state_dict(), seconds=time.monotonic() - begun)


@dataclass(frozen=True)
class _InOrder:
    """Batches of one image each, as often as they are asked for."""

    data: Images
    device: torch.device

    def __iter__(self) -> Iterator[Batch]:
        rows = torch.arange(len(self.data)).split(1)
        for row in progress(rows, "fit", len(rows)):
            yield self.data.batch(row, self.device)

    def __len__(self) -> int:
        return len(self.data)
