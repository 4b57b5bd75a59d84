"""Rectified flow from corrupted to healthy latents, in one step (REFLECT).

Beizaee et al. 2025, "REFLECT: Rectified Flows for Efficient Brain Anomaly Correction Transport", MICCAI, arXiv 2508.02889.

1. An autoencoder turns healthy slices into latents y_1; inside the outlines of random walks they are mixed with noise or pieces
   of other slices: y_0 = sqrt(1 - m) y_1 + sqrt(m) r.
2. A U-Net predicts the velocity y_1 - y_0 from y_t = y_0 + t (y_1 - y_0) and t.
3. Test: the latents y of a slice are taken as y_0; y' = y + v(y, 0).
4. Map: mean of |D(y') - D(y)| and |y' - y|, clipped and blurred, in the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from madad.core.interfaces import Autoencoder, Batch
from madad.models.diffusion.rectified_flow import RectifiedFlow
from madad.models.diffusion.walks import Walks
from madad.models.networks.adagn_unet import AdaGNUNet
from madad.models.networks.latent_space import LatentSpace


class REFLECT(RectifiedFlow):
    """Velocity of latents; hyper-parameters as in the card.

    Args:
        shared: the hyper-parameters of `RectifiedFlow`.
    """

    def __init__(
        self,
        *,
        autoencoder: Autoencoder,
        base_channels: int,
        channel_multipliers: list[int],
        blocks_per_level: int,
        norm_groups: int,
        replacement: str,
        slices_per_pass: int,
        **shared: Any,
    ) -> None:
        latents = LatentSpace(
            autoencoder,
            spatial_dims=2,
            levels=len(channel_multipliers),
            slices_per_pass=slices_per_pass,
            method="reflect",
        )
        unet = AdaGNUNet(
            spatial_dims=2,
            in_channels=autoencoder.latent_channels,
            out_channels=autoencoder.latent_channels,
            base_channels=base_channels,
            channel_multipliers=channel_multipliers,
            blocks_per_level=blocks_per_level,
            norm_groups=norm_groups,
        )
        walks = Walks(foreign=replacement == "noise_and_foreign")
        super().__init__(latents=latents, unet=unet, walks=walks, slices_per_pass=slices_per_pass, **shared)

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the squared error of the velocity of healthy slices (B, 1, H, W); arXiv 2508.02889, section 2."""
        return {"loss": self.flow_loss(*self.draw_pair(batch, generator), generator)}
