"""Denoising diffusion box by box: a part of the slice is noised, the rest stays clean (pDDPM, Behrendt et al. 2023).

Behrendt et al. 2023, MIDL, arXiv 2303.03758.

1. Training on healthy slices: draw one of four boxes (quadrants), draw t uniformly, x_t = sqrt(alpha-bar_t) x_0 +
   sqrt(1 - alpha-bar_t) n inside the box and x_0 outside, n simplex noise.
2. A U-Net predicts x_0 from x_t and t; the loss is |x_0' - x_0| inside the box alone.
3. Test: the boxes one after another, all with the same noise of one level (t = 500 of 1000), one pass of the network each.
   The insides of the boxes form the pseudo-healthy slice.
4. With several levels the reconstructions are averaged, each with noise of its own.
5. Map: |x - x'| inside the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from madad.core.interfaces import Batch
from madad.models.diffusion.boxes import Boxes
from madad.models.diffusion.forward import to_signed
from madad.models.diffusion.one_step import OneStepDiffusion
from madad.models.networks.unet import UNet


class PDDPM(OneStepDiffusion):
    """One-step x_0 predictor that works box by box; hyper-parameters as in the card.

    Args:
        shared: the hyper-parameters of `OneStepDiffusion`.
    """

    def __init__(self, *, loss_region: str, patch_fraction: float, box_sampling: str, aggregation: str, **shared: Any) -> None:
        super().__init__("pddpm", **shared)
        self.unet = UNet(**self.unet_arguments)
        self.loss_region = loss_region
        self.boxes = Boxes(patch_fraction, box_sampling, aggregation)

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the error of x_0 in one box per slice (B, 1, H, W), averaged over the whole slice (code of arXiv 2303.03758).

        For quadrants that is a quarter of the mean inside the box.
        """
        x_0 = to_signed(batch["image"])
        x_t, t = self.add_random_noise(x_0, generator)
        box = self.boxes.draw(x_0, generator)
        estimate = self.unet(torch.where(box, x_t, x_0), t)
        if self.loss_region == "box":
            estimate = torch.where(box, estimate, x_0)
        return {"loss": self.loss(estimate, x_0)}

    def estimate(self, x_0: Tensor, noise: Tensor, t: int) -> Tensor:
        """Predict the clean slices (S, 1, H, W) box by box, all boxes with the same noise."""
        return self.boxes.one_step(self.unet, x_0, noise, t, self.alphas_cumprod, self.slices_per_pass)
