"""Denoising diffusion box by box with features of the noisy slice and attention to its own encoder (MCDDPM).

Trivedi, Sharma, Balamurugan 2024, CISP-BMEI, arXiv 2409.19623.

1. Training on healthy slices: draw t uniformly and simplex noise n; x_t = sqrt(alpha-bar_t) x_0 + sqrt(1 - alpha-bar_t) n.
2. A small bridge turns x_t into features V at full resolution. The U-Net's input X is V beside x_p, which is x_t inside one of
   four boxes and x_0 outside.
3. A first pass through the U-Net's encoder alone gives the context, to which the middle of the main pass attends.
4. Loss: error of x_0 in the box + 0.5 times that of the bridge, whose decoder predicts x_0 from V.
5. Test: the boxes one after another, all with the same noise of one level, as in pDDPM; the map is |x - x'| in the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from madad.core import draws
from madad.core.interfaces import Batch
from madad.models.diffusion.boxes import Boxes
from madad.models.diffusion.forward import add_noise, to_signed
from madad.models.diffusion.one_step import OneStepDiffusion
from madad.models.networks.context_unet import Bridge, ContextUNet
from madad.models.networks.tensor_layout import in_passes


class MCDDPM(OneStepDiffusion):
    """One-step x_0 predictor that works box by box beside a bridge; hyper-parameters as in the card.

    Args:
        shared: the hyper-parameters of `OneStepDiffusion`.
    """

    def __init__(
        self,
        *,
        bridge_channels: int,
        bridge_weight: float,
        patch_fraction: float,
        box_sampling: str,
        aggregation: str,
        **shared: Any,
    ) -> None:
        super().__init__("mcddpm", **shared)
        self.bridge = Bridge(bridge_channels)
        self.unet_arguments["in_channels"] = 1 + self.bridge.outputs
        self.unet = ContextUNet(**self.unet_arguments)
        self.bridge_weight = bridge_weight
        self.boxes = Boxes(patch_fraction, box_sampling, aggregation)

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the error of x_0 in one box per slice (B, 1, H, W), averaged over the whole slice, and that of the bridge."""
        x_0 = to_signed(batch["image"])
        x_t, t = self.add_random_noise(x_0, generator)
        box = self.boxes.draw(x_0, generator)
        features = self.bridge.encode(x_t)
        estimate = self.unet(joined(torch.where(box, x_t, x_0), features), t)
        box_error = self.loss(torch.where(box, estimate, x_0), x_0)
        bridge_error = self.loss(self.bridge.decode(features), x_0)
        return {"loss": box_error + self.bridge_weight * bridge_error, "box": box_error, "bridge": bridge_error}

    def estimate(self, x_0: Tensor, noise: Tensor, t: int) -> Tensor:
        """Predict the clean slices (S, 1, H, W) box by box, all boxes with the same noise."""
        levels = torch.full((len(x_0),), t)
        x_t = add_noise(x_0, noise.expand_as(x_0), levels, self.alphas_cumprod)
        cover, levels = self.boxes.cover(x_0), draws.sent(levels, x_0.device)
        passes = (in_passes(self._denoise, self.slices_per_pass, x_t, torch.where(box, x_t, x_0), levels) for box in cover)
        return self.boxes.stitch(passes, cover)

    def _denoise(self, x_t: Tensor, patched: Tensor, t: Tensor) -> Tensor:
        return self.unet(joined(patched, self.bridge.encode(x_t)), t)


def joined(slices: Tensor, features: Tensor) -> Tensor:
    """Return slices (B, 1, H, W) and features (B, C, H, W) as one input (B, 1 + C, H, W)."""
    return torch.cat([slices, features], dim=1)
