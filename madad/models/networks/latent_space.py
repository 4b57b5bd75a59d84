"""Conversion between volumes and the latents of a trained autoencoder, in 2D slices or in 3D."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core import draws
from madad.core.errors import UserError
from madad.core.interfaces import Autoencoder
from madad.models.networks.tensor_layout import as_images, as_volume, check_reach, in_passes


class LatentSpace(nn.Module):
    """A frozen autoencoder that checks the sizes of its input; see `madad.core.interfaces.Autoencoder`.

    In 3D, empty slices are added at the top up to the next multiple that the networks can halve, and removed again.

    Args:
        autoencoder: the trained part.
        spatial_dims: of the method, 2 or 3.
        levels: of the network on the latents, which halves them once less.
        slices_per_pass: images that go through the autoencoder together.
        method: its name, for errors.

    Raises:
        UserError: an autoencoder of other dimensions.
    """

    def __init__(self, autoencoder: Autoencoder, *, spatial_dims: int, levels: int, slices_per_pass: int, method: str) -> None:
        super().__init__()
        if autoencoder.spatial_dims != spatial_dims:
            raise UserError(
                f"{method}.parameters.spatial_dims: {spatial_dims}, but its autoencoder has spatial_dims: "
                f"{autoencoder.spatial_dims}; name one of the same dimension in method_options.{method}.parts.autoencoder"
            )
        self.autoencoder = autoencoder
        self.spatial_dims = spatial_dims
        self.channels = autoencoder.latent_channels
        self.multiple = autoencoder.downsampling * 2 ** (levels - 1)
        self.slices_per_pass = slices_per_pass
        self.method = method

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Return the means of the latents, (B, L, …) float32, of images (B, C, H, W) or (B, C, S, H, W).

        Raises:
            UserError: a size that the networks cannot halve.
        """
        self._check(images)
        if self.spatial_dims == 3:
            images = functional.pad(images, (0, 0, 0, 0, 0, -images.shape[2] % self.multiple))
        return in_passes(lambda part: self.autoencoder.encode(part)[0], self.slices_per_pass, images).float()

    @torch.no_grad()
    def draw(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Draw latents (B, L, …) float32 of images (B, C, H, W) from their posterior.

        Raises:
            UserError: a size that the networks cannot halve.
        """
        self._check(images)
        mean, sigma = self.autoencoder.encode(images)
        return (mean + sigma * draws.normal_like(mean, generator)).float()

    def encode_volume(self, volume: Tensor) -> Tensor:
        """Return the latents of a volume (S, C, H, W): (S, L, h, w) in 2D, (1, L, s, h, w) in 3D."""
        return self.encode(as_images(volume, self.spatial_dims))

    @torch.no_grad()
    def decode_volume(self, latents: Tensor, slices: int) -> Tensor:
        """Decode the volume (S, C, H, W) from latents of `encode_volume`."""
        return as_volume(in_passes(self.autoencoder.decode, self.slices_per_pass, latents), self.spatial_dims)[:slices]

    def _check(self, images: Tensor) -> None:
        check_reach(images, self.multiple, f"{self.method}.parameters.channel_multipliers, with its autoencoder's")
        sides, multiple = images.shape[-2:], self.multiple
        odd = [side for side in sides if side % multiple]
        if odd:
            below = odd[0] // multiple * multiple
            working = " or ".join(str(side) for side in (below, below + multiple) if side)
            raise UserError(
                f"{self.method}: slices of {sides[0]} x {sides[1]} voxels cannot be halved as often as its networks do; sides "
                f"must be multiples of {multiple}, here {working}: change the pipeline's spacing_mm, or take fewer levels in the "
                f"channel_multipliers of {self.method} or of its autoencoder"
            )
