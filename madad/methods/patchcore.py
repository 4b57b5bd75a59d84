"""Distance of features to the nearest of a bank of healthy ones (PatchCore), on an encoder that was trained on healthy MRI.

Roth, Pemula, Zepeda, Schölkopf, Brox, Gehler 2022, "Towards Total Recall in Industrial Anomaly Detection", CVPR,
arXiv 2106.08265.

1. A frozen encoder gives features of every cell of a slice: two of its stages, averaged over neighbouring cells and joined.
2. The bank: of the healthy brains' cells those that cover all others best, each the farthest from those chosen before it.
3. Score of a cell: distance to the nearest feature of the bank.
4. Map: scores enlarged to the slice, blurred, in the brain. Nothing is learnt by gradients.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from madad.core.interfaces import Batch
from madad.models.diffusion.smoothing import gaussian_blur
from madad.models.networks.cell_features import CellFeatures, brain_cells, take
from madad.models.networks.nearest import nearest_distance, spread_out
from madad.models.networks.perceptual import Perception
from madad.models.networks.tensor_layout import in_passes
from madad.models.untrained import Untrained


class PatchCore(Untrained):
    """A bank of features; hyper-parameters as in the card."""

    bank: Tensor

    def __init__(
        self,
        *,
        encoder: Perception,
        stages: list[int],
        window: int,
        upsample: int,
        bank_candidates: int,
        bank_size: int,
        smoothing: float,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        self.features = CellFeatures(encoder, stages=stages, window=window, upsample=upsample, method="patchcore")
        self.bank_candidates, self.bank_size = bank_candidates, bank_size
        self.smoothing = smoothing
        self.slices_per_pass = slices_per_pass
        # sized by what `fit` finds
        self.register_buffer("bank", torch.empty(0, self.features.channels))

    def fit(self, data: Iterable[Batch], generator: torch.Generator) -> None:
        """Measure the scale of the features of healthy slices (1, 1, H, W), then choose the bank from a random part of them."""
        total, squares = torch.zeros(2, self.features.channels, dtype=torch.float64)
        counts = []
        for batch in data:
            rows = self._rows(batch)
            total, squares = total + rows.sum(dim=0), squares + rows.square().sum(dim=0)
            counts.append(len(rows))
        self.features.standardise(total, squares, sum(counts))
        drawn = torch.zeros(sum(counts), dtype=torch.bool)
        drawn[torch.randperm(len(drawn), generator=generator)[: self.bank_candidates]] = True
        kept = [self._rows(batch)[part] for batch, part in zip(data, drawn.split(counts), strict=True)]
        candidates = (torch.cat(kept).float() - self.features.mean) / self.features.sd
        self.bank = candidates[spread_out(candidates, self.bank_size, generator)]

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        """Return None: features are compared, and there is no pseudo-healthy volume."""

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the enlarged and blurred distances in the brain (S, H, W); arXiv 2106.08265, section 3.3."""
        features = in_passes(self.features, self.slices_per_pass, volume)
        cells = brain_cells(brain.unsqueeze(1), features.shape[2:])
        scores = volume.new_zeros(cells.shape)
        scores[cells] = nearest_distance(take(features, cells), self.bank)
        larger = functional.interpolate(scores.unsqueeze(1), volume.shape[2:], mode="nearest")
        return gaussian_blur(larger, self.smoothing * max(volume.shape[2:]), axes=(2, 3))[:, 0] * brain

    def _rows(self, batch: Batch) -> Tensor:
        """Return the features of a slice's brain cells as they are, (N, C) float64."""
        features = self.features.raw(batch["image"])
        return take(features, brain_cells(batch["brain"], features.shape[2:])).double().cpu()
