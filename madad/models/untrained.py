"""The base class of methods that no optimiser trains: those fitted in one pass, those on trained parts, and the floors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from madad.core.interfaces import Batch, Method


class Untrained(nn.Module):
    """A method whose loss is 0, because its own part learns nothing from it; see `madad.core.interfaces.Method`."""

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return 0."""
        return {"loss": batch["image"].new_zeros(())}


class Head(Untrained):
    """A score of the pseudo-healthy volumes that a trained method makes.

    Args:
        model: that method.
    """

    def __init__(self, model: Method, /) -> None:
        super().__init__()
        self.model = model

    def drawn(self, volume: Tensor, generator: torch.Generator, count: int = 1) -> Tensor:
        """Let the model reconstruct a volume (S, C, H, W) several times; return (N, S, C, H, W).

        N is the count, times the draws of a model that makes several at once.

        Raises:
            ValueError: a model that makes no reconstruction.
        """
        several = getattr(self.model, "reconstruct_several", None)
        if several is not None:
            return several(volume, generator, count)
        drawn = [self.model.reconstruct(volume, generator) for _ in range(count)]
        made = [each.reshape(-1, *volume.shape) for each in drawn if each is not None]
        if not made:
            raise ValueError("the model makes no reconstruction")
        return torch.cat(made)
