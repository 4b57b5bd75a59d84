"""The base class of REFLECT: latents of corrupted images are carried to those of healthy ones along a straight flow.

Source: Beizaee et al. 2025 (arXiv 2508.02889) and its released code; rectified flow of Liu et al. 2023 (arXiv 2209.03003).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core import draws
from madad.core.interfaces import Batch
from madad.models.diffusion.smoothing import gaussian_blur
from madad.models.diffusion.walks import Walks
from madad.models.networks.latent_space import LatentSpace
from madad.models.networks.tensor_layout import in_passes

TIME_SCALE = 1000  # of the sinusoids that embed t in [0, 1]
PUBLISHED_SIDE = 256


class RectifiedFlow(nn.Module):
    """A velocity in latent space, and the map of what it moves.

    Args:
        latents: of a trained autoencoder.
        unet: answers the velocity (B, L, h, w) to latents and times.
        walks: the corruption of the training.
        flow_steps: Euler steps at test.
        clip: largest difference of intensities in [-1, 1], and of latents, that counts.
        smoothing: standard deviation of the blur of the image's residual, in voxels of a slice of 256.
        latent_smoothing: that of the latents' residual, in cells.
        slices_per_pass: slices that go through the networks together; affects memory, not the result.
    """

    def __init__(
        self,
        *,
        latents: LatentSpace,
        unet: nn.Module,
        walks: Walks,
        flow_steps: int,
        clip: float,
        smoothing: float,
        latent_smoothing: float,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        self.latents, self.unet, self.walks = latents, unet, walks
        self.flow_steps = flow_steps
        self.clip, self.smoothing, self.latent_smoothing = clip, smoothing, latent_smoothing
        self.slices_per_pass = slices_per_pass

    def draw_pair(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the latents (B, L, h, w) of healthy slices (B, 1, H, W), corrupted and as they are."""
        y_1 = self.latents.draw(batch["image"], generator)
        cells = functional.max_pool2d(batch["brain"].float(), self.latents.autoencoder.downsampling) > 0
        return self.walks(y_1, cells, generator), y_1

    def flow_loss(self, y_0: Tensor, y_1: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean of |v(y_t, t) - (y_1 - y_0)|^2, y_t = y_0 + t (y_1 - y_0), t ~ U(0, 1); arXiv 2209.03003, eq. 1."""
        t = draws.like(torch.rand(len(y_0), generator=generator), y_0)
        y_t = torch.lerp(y_0, y_1, t.view(-1, 1, 1, 1))
        return (velocity(self.unet, y_t, t) - (y_1 - y_0)).square().mean()

    def carried(self, y: Tensor) -> Tensor:
        """Return latents (S, L, h, w) after the flow, taken as its start."""
        return in_passes(lambda part: flowed(self.unet, part, self.flow_steps), self.slices_per_pass, y)

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the decoded end of the flow (S, 1, H, W), in [0, 1] up to the networks' error."""
        return self.latents.decode_volume(self.carried(self.latents.encode_volume(volume)), len(volume))

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean of the residuals of image and latents, clipped and blurred, in [0, 1] in the brain (S, H, W).

        The image's is taken against the autoencoder's own reconstruction of it, as in the released code.
        """
        if reconstruction is None:
            raise ValueError("the map needs the reconstruction")
        y = self.latents.encode_volume(volume)
        shown = self.latents.decode_volume(y, len(volume))
        image = self._clipped(2 * (reconstruction - shown).abs())
        moved = self._clipped((self.carried(y) - y).abs().mean(dim=1, keepdim=True))
        image = gaussian_blur(image, self.smoothing * max(volume.shape[2:]) / PUBLISHED_SIDE, axes=(2, 3))
        moved = gaussian_blur(moved, self.latent_smoothing, axes=(2, 3))
        moved = functional.interpolate(moved, size=volume.shape[2:], mode="bilinear", align_corners=False)
        return ((image + moved) / 2).mean(dim=1) * brain

    def _clipped(self, difference: Tensor) -> Tensor:
        return difference.clamp(max=self.clip) / self.clip


def velocity(network: nn.Module, y: Tensor, t: Tensor) -> Tensor:
    """Return v(y, t) (B, L, h, w) of latents at times t (B,) in [0, 1]."""
    return network(y, TIME_SCALE * t)


def flowed(network: nn.Module, y: Tensor, steps: int) -> Tensor:
    """Carry latents from t = 0 to 1 by Euler steps of equal length."""
    for step in range(steps):
        y = y + velocity(network, y, torch.full((len(y),), step / steps).to(y)) / steps
    return y
