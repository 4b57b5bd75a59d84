"""Supervised segmentation of synthetic lesions: the ceiling of this comparison.

Ronneberger, Fischer & Brox 2015, MICCAI, arXiv 1505.04597; loss after Isensee et al. 2021 (nnU-Net),
doi:10.1038/s41592-020-01008-z.

1. A synthetic lesion is inserted into a healthy slice; a U-Net has to predict its mask.
2. Loss: (1 - soft Dice over the batch) + cross-entropy over the voxels.
3. Test: one pass; nothing healthy is reconstructed.
4. Map: the probability of a lesion, in the brain.
5. Where the lesions of the test come from the same generator, no other method should do better; on real patients it shows how
   realistic the generator's lesions are.

Deviations from the papers: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from monai.losses.dice import DiceLoss
from torch import Tensor, nn
from torch.nn import functional

from madad.core.interfaces import Batch
from madad.models.networks.plain_unet import PlainUNet
from madad.models.networks.tensor_layout import check_reach, in_passes


class SupervisedUNet(nn.Module):
    """Segmenter of lesions; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        base_channels: int,
        channel_multipliers: list[int],
        norm_groups: int,
        dice_weight: float,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        self.unet = PlainUNet(
            spatial_dims=2,
            in_channels=1,
            out_channels=1,
            base_channels=base_channels,
            channel_multipliers=channel_multipliers,
            norm_groups=norm_groups,
        )
        # over the batch, because a slice without lesion has no Dice of its own
        self.dice = DiceLoss(sigmoid=True, batch=True)
        self.dice_weight = dice_weight
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the Dice loss and cross-entropy of the lesions (B, 1, H, W) in slices; Isensee et al. 2021, methods."""
        logits, lesion = self._logits(batch["image"]).float(), batch["lesion"].float()
        losses = {"dice": self.dice(logits, lesion), "entropy": functional.binary_cross_entropy_with_logits(logits, lesion)}
        return {"loss": self.dice_weight * losses["dice"] + losses["entropy"], **losses}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        """Return None: a segmenter makes no healthy volume."""

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the probability of a lesion (S, H, W) in the brain."""
        return in_passes(self._logits, self.slices_per_pass, volume).float().sigmoid().squeeze(1) * brain

    def _logits(self, images: Tensor) -> Tensor:
        check_reach(images, self.unet.reach, "unet_supervised.parameters.channel_multipliers")
        return self.unet(images)
