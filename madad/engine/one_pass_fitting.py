"""Fitting in one pass over the healthy training images, in the order of the pack, for methods without an optimiser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from madad.core.interfaces import Batch, Fitted, conforming
from madad.core.logs import progress
from madad.core.seeds import torch_generator
from madad.engine import devices
from madad.engine.outputs import Outcome
from madad.engine.training_data import Images


@torch.no_grad()
def fitted(method: nn.Module, data: Images, seed: int, device: torch.device) -> Outcome:
    """Fit a method to the data. An interrupted fit starts again from the beginning."""
    method = devices.move(method, device).eval()
    begun = time.monotonic()
    conforming(method, Fitted).fit(_InOrder(data, device), torch_generator(seed, "fit"))
    return Outcome(method.state_dict(), seconds=time.monotonic() - begun)


@dataclass(frozen=True)
class _InOrder:
    """Batches of one image each; they can be iterated several times."""

    data: Images
    device: torch.device

    def __iter__(self) -> Iterator[Batch]:
        rows = torch.arange(len(self.data)).split(1)
        for row in progress(rows, "fit", len(rows)):
            yield self.data.batch(row, self.device)

    def __len__(self) -> int:
        return len(self.data)
