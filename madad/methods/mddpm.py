"""Denoising diffusion box by box that repairs masked slices (mDDPM, Iqbal et al. 2023).

Iqbal et al. 2023, MLMI, doi:10.1007/978-3-031-45673-2_37, arXiv 2305.19867; built on pDDPM, arXiv 2303.03758.

1. Training on healthy slices x_0: a masking block hides parts of the brain and gives u. IPM: patches of zeros; FPM: the slice
   without its low or its high frequencies; FPM-CM: patches of that.
2. Draw one of four boxes (quadrants), draw t uniformly, u_t = sqrt(alpha-bar_t) u + sqrt(1 - alpha-bar_t) n inside the box and
   u outside, n simplex noise.
3. A U-Net predicts x_0 from u_t and t; the loss is |x_0' - x_0| inside the box and, without gradient, |u - x_0| outside.
4. Test: nothing is masked. The boxes one after another, all with the same noise of one level (t = 500 of 1000), one pass of the
   network each; the insides of the boxes form the pseudo-healthy slice.
5. Map: |x - x'| inside the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from madad.core.interfaces import Batch
from madad.models.diffusion.boxes import WHOLE, Boxes
from madad.models.diffusion.forward import to_signed
from madad.models.diffusion.masking import Masking
from madad.models.diffusion.one_step import OneStepDiffusion
from madad.models.networks.unet import UNet


class MDDPM(OneStepDiffusion):
    """One-step x_0 predictor that learns from masked slices; hyper-parameters as in the card.

    Args:
        shared: the hyper-parameters of `OneStepDiffusion`.
    """

    def __init__(
        self,
        *,
        loss_region: str,
        noise_region: str,
        patch_fraction: float,
        box_sampling: str,
        aggregation: str,
        masking: str,
        mask_geometry: str,
        mask_patches: int,
        mask_length: float,
        mask_ratio: list[float],
        mask_frequencies: str,
        mask_half_widths: list[int],
        **shared: Any,
    ) -> None:
        super().__init__("mddpm", **shared)
        self.unet = UNet(**self.unet_arguments)
        self.loss_region = loss_region
        self.boxes = Boxes(patch_fraction, box_sampling, aggregation) if noise_region == "box" else WHOLE
        self.masking = Masking(masking, mask_geometry, mask_patches, mask_length, mask_ratio, mask_frequencies, mask_half_widths)

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the error of x_0 in one box per slice (B, 1, H, W), averaged over the whole slice (code of arXiv 2305.19867).

        In training mode the network gets a masked slice u; outside the box u takes part in the loss as a constant.
        """
        x_0 = to_signed(batch["image"])
        u = to_signed(self.masking(batch["image"], batch["brain"], generator)) if self.training else x_0
        u_t, t = self.add_random_noise(u, generator)
        box = self.boxes.draw(x_0, generator)
        estimate = self.unet(torch.where(box, u_t, u), t)
        if self.loss_region == "box":
            estimate = torch.where(box, estimate, u)
        return {"loss": self.loss(estimate, x_0)}

    def estimate(self, x_0: Tensor, noise: Tensor, t: int) -> Tensor:
        """Predict the clean slices (S, 1, H, W) box by box, all boxes with the same noise."""
        return self.boxes.one_step(self.unet, x_0, noise, t, self.alphas_cumprod, self.slices_per_pass)
