"""Autoencoder of features, compared by structural similarity (FAE), on an encoder that was trained on healthy MRI.

Meissen, Paetzold, Kaissis, Rueckert 2022, "Unsupervised Anomaly Localization with Structural Feature Autoencoders", MICCAI
BrainLes workshop, arXiv 2208.10992.

1. A frozen encoder gives features f of every cell of a slice: two of its stages, joined and standardised.
2. A convolutional autoencoder learns f' from f on healthy slices; the loss is 1 - SSIM of f and f' in the brain.
3. Map: the mean over channels of 1 - SSIM, enlarged to the slice, in the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core.interfaces import Batch
from madad.models.networks.cell_features import JoinedFeatures, brain_cells
from madad.models.networks.feature_autoencoder import FeatureAutoencoder, similarity
from madad.models.networks.perceptual import Perception
from madad.models.networks.spark import sparse_norm
from madad.models.networks.tensor_layout import in_passes

SMALLEST_VARIANCE = 1e-6  # added to that of every channel


class FAE(nn.Module):
    """An autoencoder of features; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        encoder: Perception,
        stages: list[int],
        upsample: int,
        hidden_channels: list[int],
        feature_range: float,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        self.features = JoinedFeatures(encoder, stages=stages, window=1, upsample=upsample, method="fae")
        # not within `features`, which stay in evaluation mode with their encoder: training follows mean and deviation
        self.norm = nn.BatchNorm2d(self.features.channels, eps=SMALLEST_VARIANCE, affine=False)
        self.autoencoder = FeatureAutoencoder(self.features.channels, hidden_channels)
        self.feature_range = feature_range
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the mean of 1 - SSIM over the brain's cells of slices (B, 1, H, W); arXiv 2208.10992, eq. 1."""
        unlike, cells = self._unlike(batch["image"], batch["brain"])
        return {"loss": unlike[cells].mean()}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        """Return None: features are restored, and there is no pseudo-healthy volume."""

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the enlarged dissimilarity of the features in the brain (S, H, W), from 0 to 2; arXiv 2208.10992, section 3."""
        unlike = in_passes(lambda *part: self._unlike(*part)[0], self.slices_per_pass, volume, brain.unsqueeze(1))
        larger = functional.interpolate(unlike.unsqueeze(1), volume.shape[2:], mode="bilinear", align_corners=False)
        return larger[:, 0].clamp_min(0) * brain

    def standardised(self, images: Tensor, brain: Tensor) -> tuple[Tensor, Tensor]:
        """Return features of mean 0 and deviation 1 (B, C, h, w), 0 outside the brain (B, 1, H, W), and its cells (B, h, w)."""
        features = self.features.raw(images)
        cells = brain_cells(brain, features.shape[2:])
        return sparse_norm(self.norm, features, cells.unsqueeze(1)), cells

    def _unlike(self, images: Tensor, brain: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 - SSIM of the features and their reconstruction, and which cells are of the brain, both (B, h, w)."""
        features, cells = self.standardised(images, brain)
        return 1 - similarity(self.autoencoder(features), features, self.feature_range).mean(dim=1), cells
