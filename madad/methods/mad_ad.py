"""MAD-AD: masked latent diffusion that finds cells that look noisy in an image to which no noise was added.

Beizaee et al. 2025, "MAD-AD: Masked Diffusion for Unsupervised Brain Anomaly Detection", IPMI, arXiv 2502.16943.

1. An autoencoder turns healthy slices into latents; random patches of these, inside the brain, are diffused to one of ten levels.
2. A U-Net sees the partly noisy latents and the level; it predicts the clean latents and which cells are clean already.
3. Test: the latents of a slice are treated as the noisiest state. No noise is added; DDIM updates, level by level, only
   the cells that the network marks as noisy.
4. Map: |decoded after - decoded before|, clipped and smoothed, inside the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core import draws
from madad.core.errors import UserError
from madad.core.interfaces import Autoencoder, Batch
from madad.models.diffusion import schedules
from madad.models.diffusion.forward import add_noise
from madad.models.diffusion.gated import gated_ddim, respaced
from madad.models.diffusion.patch_masks import diffusible, draw_patch, keep_patches
from madad.models.diffusion.smoothing import gaussian_blur
from madad.models.networks.tensor_layout import in_passes
from madad.models.networks.two_headed_unet import TwoHeadedUNet

GREY_VALUES = 255
MASK_LOSSES = {
    "mse": lambda logits, keep: functional.mse_loss(logits.sigmoid(), keep),
    "bce": functional.binary_cross_entropy_with_logits,
}


class MADAD(nn.Module):
    """Two-headed denoiser of latents; hyper-parameters as in the card.

    Attributes:
        observed: `flagged_share`, the share of the brain's cells that were taken for noise at some level.
    """

    unobserved: ClassVar[dict[str, str]] = {
        "flagged_share": "no cell looks like noise to the network, so that nothing is restored; the map is 0 everywhere, or with "
        "`residual: paper` the error of the autoencoder alone (docs/explanation/soop.md)"
    }

    def __init__(
        self,
        *,
        autoencoder: Autoencoder,
        base_channels: int,
        channel_multipliers: list[int],
        blocks_per_level: int,
        attention_heads: int,
        norm_groups: int,
        dropout: float,
        num_train_timesteps: int,
        patch_sizes: list[int],
        patch_probabilities: list[float],
        max_diffused_share: float,
        brain_block: int,
        min_brain_share: float,
        mask_loss: str,
        mask_weight: float,
        test_steps: int,
        eta: float,
        gate: str,
        residual: str,
        clip: float,
        gamma: float,
        smoothing: float,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        _check(autoencoder, patch_sizes, patch_probabilities)
        self.autoencoder = autoencoder
        self.unet = TwoHeadedUNet(
            in_channels=autoencoder.latent_channels,
            base_channels=base_channels,
            channel_multipliers=channel_multipliers,
            blocks_per_level=blocks_per_level,
            attention_heads=attention_heads,
            norm_groups=norm_groups,
            dropout=dropout,
        )
        self.alphas_cumprod = schedules.cosine(num_train_timesteps)
        self.test_timesteps = respaced(test_steps, num_train_timesteps, "mad_ad.parameters.test_steps")
        self.patch_sizes, self.patch_probabilities = patch_sizes, patch_probabilities
        self.max_diffused_share = max_diffused_share
        self.brain_block, self.min_brain_share = brain_block, min_brain_share
        # Latents whose sides are multiples of this can be cut into every patch and every block, and halved level by level.
        self.cells = math.lcm(*patch_sizes, brain_block, 2 ** (len(channel_multipliers) - 1))
        self.mask_loss, self.mask_weight = MASK_LOSSES[mask_loss], mask_weight
        self.eta, self.sticky = eta, gate == "sticky"
        self.residual, self.clip, self.gamma = residual, clip, gamma
        self.smoothing = smoothing
        self.slices_per_pass = slices_per_pass
        self.observed: dict[str, float] = {}

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the error of all latents and of the mask, over the slices (B, 1, H, W); MAD-AD, training objective."""
        z_0 = self._draw_latents(batch["image"], generator)
        keep = self._draw_mask(batch["brain"], generator)
        t = torch.randint(len(self.alphas_cumprod), (len(z_0),), generator=generator)
        noise = draws.normal_like(z_0, generator)
        z_t = torch.where(keep, z_0, add_noise(z_0, noise, t, self.alphas_cumprod))
        clean, logits = self.unet(z_t, draws.sent(t, z_0.device))
        restoring, masking = functional.mse_loss(clean, z_0), self.mask_loss(logits, keep.to(logits))
        return {"loss": restoring + self.mask_weight * masking, "restoring": restoring, "masking": masking}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the network's error; nothing is clipped."""
        encoded = self._encode(volume)
        z = self._clean(encoded, generator)
        flagged = (z != encoded).any(dim=1, keepdim=True)
        brain = functional.adaptive_max_pool2d((volume > 0).to(z).amax(dim=1, keepdim=True), z.shape[-2:]) > 0
        self.observed = {"flagged_share": float(flagged[brain].float().mean()) if brain.any() else 0.0}
        return self._decode(z)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the clipped, smoothed residual in [0, 1] in the brain (S, H, W); 0 in slices without a noisy cell ("code").

        As in the released code it is taken against the slice as the autoencoder shows it, |x_0' - D(E(x))|; as in the paper
        against the slice itself, squared. Intensities run from -1 to 1 in both.
        """
        if reconstruction is None:
            raise ValueError("the map of a diffusion model needs its reconstruction")
        if self.residual == "code":
            difference = 2 * (reconstruction - self._decode(self._encode(volume)))
            score = difference.abs().clamp(max=self.clip) / self.clip
        else:
            difference = 2 * (reconstruction - eight_bit(volume))
            score = difference.square().clamp(max=self.gamma) / self.gamma
        return gaussian_blur(score.mean(dim=1), self.smoothing * volume.shape[-1], axes=(1, 2)) * brain

    @torch.no_grad()
    def _draw_latents(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Draw latents (B, C, h, w) from their posterior."""
        self._check_sides(images)
        mean, sigma = self.autoencoder.encode(eight_bit(images))
        return mean + sigma * draws.normal_like(mean, generator)

    def _draw_mask(self, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Draw where cells (B, 1, h, w) stay clean; patches have one shape per batch and another share per slice."""
        allowed = diffusible(brain, self.autoencoder.downsampling, self.brain_block, self.min_brain_share)
        patch = draw_patch(self.patch_sizes, self.patch_probabilities, generator)
        shares = self.max_diffused_share * torch.rand(len(brain), generator=generator)
        kept = keep_patches(shares, (allowed.shape[2], allowed.shape[3]), patch, generator)
        return draws.sent(kept, brain.device) | ~allowed

    def _clean(self, encoded: Tensor, generator: torch.Generator) -> Tensor:
        """Return latents (S, C, h, w) after the chain; whatever was never taken for noise is as it was."""
        return gated_ddim(
            self._denoise,
            encoded,
            timesteps=self.test_timesteps,
            alphas_cumprod=self.alphas_cumprod,
            eta=self.eta,
            sticky=self.sticky,
            generator=generator,
            batch_size=self.slices_per_pass,
        )

    def _denoise(self, z_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the clean latents and the probability of each cell being clean."""
        clean, logits = self.unet(z_t, t)
        return clean, logits.sigmoid()

    def _encode(self, volume: Tensor) -> Tensor:
        """Return the posterior means of the latents (S, C, h, w) of a volume (S, 1, H, W)."""
        self._check_sides(volume)
        return in_passes(lambda slices: self.autoencoder.encode(eight_bit(slices))[0], self.slices_per_pass, volume)

    def _decode(self, z: Tensor) -> Tensor:
        return in_passes(self.autoencoder.decode, self.slices_per_pass, z)

    def _check_sides(self, images: Tensor) -> None:
        rows, columns = images.shape[-2:]
        cell = self.autoencoder.downsampling
        unit = cell * self.cells
        if rows % unit or columns % unit:
            raise UserError(
                f"mad_ad.parameters.patch_sizes: {rows} x {columns} voxels are {rows / cell:g} x {columns / cell:g} latents; "
                f"for patches of {self.patch_sizes}, brain_block {self.brain_block} and the levels of the U-Net both must be "
                f"multiples of {self.cells}: leave out the larger patch_sizes, or choose a spacing_mm of the pipeline at which "
                f"slices have sides of {unit}, {2 * unit} or {3 * unit} voxels"
            )


def eight_bit(images: Tensor) -> Tensor:
    """Round images in [0, 1] to the 256 grey values of the files that the released code reads; its loader divides by 255."""
    return (images * GREY_VALUES).round() / GREY_VALUES


def _check(autoencoder: Autoencoder, sizes: list[int], probabilities: list[float]) -> None:
    if autoencoder.spatial_dims != 2:
        raise UserError("mad_ad.parts.autoencoder: the latents must be of slices; take one with spatial_dims = 2")
    if len(sizes) != len(probabilities) or not any(probabilities):
        raise UserError(
            f"mad_ad.parameters.patch_probabilities: {probabilities} are not one for each of the patch_sizes {sizes}, not all 0"
        )
