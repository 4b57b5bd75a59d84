"""Denoising autoencoder with coarse noise (DAE).

Kascenas, Pugeault & O'Neil 2022, MIDL, PMLR 172:653; on the law of the noise Kascenas et al. 2023, Medical Image Analysis,
arXiv 2301.08330.

1. Training on healthy slices: y = x + n in the brain, n of a few wide blobs: N(0, `noise_magnitude`^2) on a grid of
   `noise_resolution` points per side, interpolated bilinearly and rolled at random.
2. A U-Net with skip connections predicts x; the loss is the squared error in the brain.
3. Test: the image as it is, without noise, in one pass. A lesion looks like noise, and the network removes it.
4. Map: |x - x'| in the brain, or the side of it on which lesions are sought.
5. The law of the noise decides the result: its resolution, magnitude and kind are settings.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from madad.core.interfaces import Batch
from madad.models.diffusion.noise import NoiseLaw
from madad.models.diffusion.residuals import residual
from madad.models.networks.denoising_unet import DenoisingUNet
from madad.models.networks.tensor_layout import check_reach, in_passes


class DAE(nn.Module):
    """Remover of noise from slices; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        base_channels: int,
        levels: int,
        noise_kind: str,
        noise_resolution: int,
        noise_magnitude: float,
        noise_octaves: int,
        noise_persistence: float,
        tail: str,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        self.unet = DenoisingUNet(in_channels=1, out_channels=1, base_channels=base_channels, levels=levels)
        self.noise_law = NoiseLaw(noise_kind, False, noise_octaves, noise_persistence, noise_magnitude, noise_resolution)
        self.tail, self.slices_per_pass = tail, slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the squared error in the brains of slices (B, 1, H, W), averaged over all voxels as in the released code."""
        image, brain = batch["image"], batch["brain"]
        noisy = image + self.noise_law(image, generator) * brain
        return {"loss": ((self._predict(noisy) - image).square() * brain).mean()}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the network's error; nothing is clipped.

        No noise is added. The loss does not constrain voxels outside the brain.
        """
        return in_passes(self._predict, self.slices_per_pass, volume)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the residual (S, H, W) in the brain."""
        return residual(volume, reconstruction, self.tail) * brain

    def _predict(self, images: Tensor) -> Tensor:
        check_reach(images, self.unet.reach, "dae.parameters.levels")
        return self.unet(images)
