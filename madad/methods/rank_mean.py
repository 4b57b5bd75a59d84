"""Mean of the ranks that several methods give to each voxel.

An ensemble by ranks, as challenges combine their entrants' outputs; ranks are those among healthy voxels.

1. `fit`: each method maps the healthy training images; percentiles of its scores in the brain are kept.
2. Rank of a voxel: the share of healthy voxels with a smaller score, between percentiles by interpolation; above the largest
   healthy score it goes on in steps of the range of healthy scores.
3. Map: mean of the methods' ranks in the brain. Nothing is reconstructed.

Deviations: see `deviations` in the card.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from madad.core.interfaces import Batch, Method
from madad.models.untrained import Untrained

LEVELS = 1001  # of the healthy scores of each method


class RankMean(Untrained):
    """Several trained methods and their healthy scores; hyper-parameters as in the card.

    Attributes:
        healthy: (M, levels) quantiles of the healthy scores, rising; sized by `fit`.
    """

    healthy: Tensor

    def __init__(
        self, *, first: Method, second: Method, third: Method | None, fourth: Method | None, fifth: Method | None, ranks: str
    ) -> None:
        super().__init__()
        given: list[Any] = [first, second, third, fourth, fifth]
        self.methods = nn.ModuleList(method for method in given if method is not None)
        self.among_healthy = ranks == "healthy"
        self.register_buffer("healthy", torch.empty(0, LEVELS))

    def fit(self, data: Iterable[Batch], generator: torch.Generator) -> None:
        """Measure the scores of all methods in healthy volumes (1, 1, S, H, W), each method's quantiles averaged over volumes."""
        total, count = torch.zeros(len(self.methods), LEVELS), 0
        for batch in data:
            volume, brain = batch["image"][0].transpose(0, 1), batch["brain"][0, 0]
            if not brain.any():
                continue
            maps = [mapped(method, volume, brain, generator) for method in self.methods]
            total += torch.stack([quantiles(scores[brain]) for scores in maps]).cpu()
            count += 1
        self.healthy = total / max(count, 1)

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        """Return None: the methods' reconstructions stay within."""

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean rank in the brain (S, H, W)."""
        total = torch.zeros_like(volume[:, 0])
        for method, healthy in zip(self.methods, self.healthy, strict=True):
            scores = mapped(method, volume, brain, generator)
            if brain.any():
                reference = healthy if self.among_healthy else quantiles(scores[brain])
                total += rank(scores, reference.to(scores))
        return total / len(self.methods) * brain


def rank(scores: Tensor, reference: Tensor) -> Tensor:
    """Return the share of a reference below each score, plus by how many of its ranges a score lies above it.

    Args:
        scores: any shape.
        reference: (L,) quantiles at even steps from 0 to 1, rising.
    """
    above = torch.searchsorted(reference, scores.contiguous(), right=True).clamp(1, len(reference) - 1)
    low, high = reference[above - 1], reference[above]
    tiny = torch.finfo(scores.dtype).tiny
    between = ((scores - low) / (high - low).clamp_min(tiny)).clamp(0, 1)
    span = (reference[-1] - reference[0]).clamp_min(tiny)
    return (above - 1 + between) / (len(reference) - 1) + (scores - reference[-1]).clamp_min(0) / span


def mapped(method: Any, volume: Tensor, brain: Tensor, generator: torch.Generator) -> Tensor:
    """Return a method's map (S, H, W)."""
    return method.anomaly_map(volume, method.reconstruct(volume, generator), brain, generator)


def quantiles(scores: Tensor) -> Tensor:
    """Return the scores (N,) at even steps of their ranks from 0 to 1, interpolated; for any N."""
    ordered = scores.float().sort().values
    place = torch.linspace(0, len(ordered) - 1, LEVELS, device=scores.device)
    below = place.long().clamp(max=max(len(ordered) - 2, 0))
    above = (below + 1).clamp(max=len(ordered) - 1)
    return torch.lerp(ordered[below], ordered[above], place - below)
