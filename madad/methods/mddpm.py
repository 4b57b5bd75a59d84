"""Denoising diffusion box by box that repairs masked slices (mDDPM, Iqbal et al. 2023).

Iqbal et al. 2023, MLMI, doi:10.1007/978-3-031-45673-2_37, arXiv 2305.19867; built on pDDPM, arXiv 2303.03758.

1. Training on healthy slices x_0: a masking block hides parts of the brain and gives u. IPM: patches of zeros; FPM: the slice
   without its low or its high frequencies; FPM-CM: patches of that.
2. Draw one of four boxes (quadrants), draw t uniformly, u_t = sqrt(alpha-bar_t) u + sqrt(1 - alpha-bar_t) n inside the box and
   u outside, n simplex noise.
3. A U-Net predicts x_0 from u_t and t; the loss is |x_0' - x_0| inside the box and, without gradient, |u - x_0| outside.
4. Test: nothing is masked. The boxes one after another, all with the same noise of one level (t = 500 of 1000), one pass of the
   network each; the insides of the boxes are put together to the pseudo-healthy slice.
5. Map: |x - x'| inside the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from madad.core.interfaces import Batch
from madad.models.diffusion import sampling, schedules
from madad.models.diffusion.boxes import WHOLE, Boxes
from madad.models.diffusion.forward import add_noise, draw_timesteps, from_signed, to_signed
from madad.models.diffusion.losses import LOSSES
from madad.models.diffusion.masking import Masking
from madad.models.diffusion.noise import NoiseLaw
from madad.models.diffusion.residuals import residual
from madad.models.networks.unet import UNet


class MDDPM(nn.Module):
    """One-step x_0 predictor that learns from masked slices; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        base_channels: int,
        channel_multipliers: list[int],
        blocks_per_level: int,
        norm_groups: int,
        scale_shift: bool,
        schedule: str,
        num_train_timesteps: int,
        test_timesteps: list[int],
        loss: str,
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
        noise_kind: str,
        noise_shared: bool,
        noise_octaves: int,
        noise_persistence: float,
        noise_scale: float,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        self.unet = UNet(
            in_channels=1,
            out_channels=1,
            base_channels=base_channels,
            channel_multipliers=channel_multipliers,
            blocks_per_level=blocks_per_level,
            norm_groups=norm_groups,
            scale_shift=scale_shift,
        )
        self.alphas_cumprod = schedules.alphas_cumprod(schedule, num_train_timesteps)
        self.test_indices = sampling.level_indices(test_timesteps, num_train_timesteps, "mddpm.parameters.test_timesteps")
        self.loss = LOSSES[loss]
        self.loss_region = loss_region
        self.boxes = Boxes(patch_fraction, box_sampling, aggregation) if noise_region == "box" else WHOLE
        self.masking = Masking(masking, mask_geometry, mask_patches, mask_length, mask_ratio, mask_frequencies, mask_half_widths)
        self.noise_law = NoiseLaw(noise_kind, noise_shared, noise_octaves, noise_persistence, noise_scale)
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Error of x_0 in one box of each slice (B, 1, H, W), counted over the whole slice (arXiv 2305.19867, released code).

        In training mode the network is shown a masked slice u; outside the box u takes part in the loss as a constant.
        """
        x_0 = to_signed(batch["image"])
        u = to_signed(self.masking(batch["image"], batch["brain"], generator)) if self.training else x_0
        t = draw_timesteps(len(x_0), self.alphas_cumprod, generator)
        u_t = add_noise(u, self.noise_law(u, generator), t, self.alphas_cumprod)
        box = self.boxes.draw(x_0, generator)
        estimate = self.unet(torch.where(box, u_t, u), t.to(x_0.device))
        if self.loss_region == "box":
            estimate = torch.where(box, estimate, u)
        return {"loss": self.loss(estimate, x_0)}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the network's error; nothing is clipped."""
        x_0 = to_signed(volume)
        fields = [self.noise_law(x_0, generator) for _ in self.test_indices]
        estimates = (
            self.boxes.one_step(self.unet, x_0, n, t, self.alphas_cumprod, self.slices_per_pass)
            for t, n in zip(self.test_indices, fields, strict=True)
        )
        return from_signed(sampling.mean(estimates))

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Residual |x - x'| in the brain (S, H, W)."""
        return residual(volume, reconstruction) * brain
