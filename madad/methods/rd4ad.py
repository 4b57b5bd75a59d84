"""Reverse distillation (RD4AD), on an encoder that was trained on healthy MRI.

Deng, Li 2022, "Anomaly Detection via Reverse Distillation from One-Class Embedding", CVPR, arXiv 2201.10703.

1. A frozen encoder, the teacher, gives features f_l of a slice at every stage.
2. A bottleneck joins them, and a decoder, the student, learns on healthy slices to give each f_l back from that: 1 - cosine.
3. Score at a place: 1 - cos(f_l, f_l'), enlarged to the slice; the sum over stages, blurred, is the map in the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core.interfaces import Batch
from madad.models.diffusion.smoothing import gaussian_blur
from madad.models.networks.cell_features import brain_cells, enlarged
from madad.models.networks.distillation import Student
from madad.models.networks.perceptual import Perception
from madad.models.networks.tensor_layout import in_passes


class RD4AD(nn.Module):
    """Teacher and student; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        encoder: Perception,
        upsample: int,
        blocks: int,
        loss: str,
        aggregation: str,
        smoothing: float,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        self.teacher = encoder.encoder
        self.student = Student(self.teacher.channels, blocks)
        self.upsample = upsample
        self.by_place = loss == "place"
        self.product = aggregation == "product"
        self.smoothing = smoothing
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the sum over stages of 1 - cosine, of whole maps or of the brain's places; arXiv 2201.10703, released code."""
        levels = zip(*self._pyramids(batch["image"]), strict=True)
        if not self.by_place:
            return {"loss": torch.stack([unlike(f.flatten(1), found.flatten(1)).mean() for f, found in levels]).sum()}
        means = [unlike(f, found)[brain_cells(batch["brain"], f.shape[2:])].mean() for f, found in levels]
        return {"loss": torch.stack(means).sum()}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        """Return None: features are compared, and there is no pseudo-healthy volume."""

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the blurred sum, or product, over stages in the brain (S, H, W); arXiv 2201.10703, eq. 3."""
        scores = in_passes(self._scores, self.slices_per_pass, volume)
        return gaussian_blur(scores, self.smoothing * max(volume.shape[2:]), axes=(1, 2)) * brain

    def _scores(self, images: Tensor) -> Tensor:
        """Return the scores (B, H, W) of images (B, 1, H, W) before the blur."""
        levels = [unlike(f, found).unsqueeze(1) for f, found in zip(*self._pyramids(images), strict=True)]
        size = images.shape[2:]
        larger = torch.cat([functional.interpolate(one, size, mode="bilinear", align_corners=True) for one in levels], dim=1)
        return larger.prod(dim=1) if self.product else larger.sum(dim=1)

    def _pyramids(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return the teacher's features of images (B, 1, H, W) at every stage, and the student's."""
        with torch.no_grad():
            known = self.teacher.pyramid(enlarged(images, self.upsample))
        return known, self.student(known)


def unlike(one: Tensor, other: Tensor) -> Tensor:
    """Return 1 - cosine of vectors along the second axis, in [0, 2]."""
    return 1 - functional.cosine_similarity(one, other, dim=1)
