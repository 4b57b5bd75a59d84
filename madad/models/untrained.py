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

    def drawn(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Let the model reconstruct a volume (S, C, H, W) once; return (N, S, C, H, W), where N is 1 unless it draws several.

        Raises:
            ValueError: a model that makes no reconstruction.
        """
        drawn = self.model.reconstruct(volume, generator)
        if drawn is None:
            raise ValueError("the model makes no reconstruction")
        return drawn.reshape(-1, *volume.shape)
