"""Supervised regression of the healthy image from the one with a lesion (after UNA, Liu et al. 2025).

Liu, Lawry Aguila, Iglesias 2025, CVPR, arXiv 2501.13370.

1. A synthetic lesion is inserted into a healthy image; a U-Net has to restore the healthy image.
2. Loss: k (|x' - x| + |grad x' - grad x|), k = 1 + `lesion_weight` in the lesion and 1 elsewhere.
3. Contrast-agnostic, if wanted: the intensities of some inputs are changed by a random curve, those of the target are not.
4. Test: one pass.
5. Map: |x - x'| in the brain, the smallest over displacements of x' by a voxel or two.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from madad.core import draws
from madad.core.interfaces import Batch
from madad.models.diffusion.residuals import shift_robust_residual
from madad.models.networks.plain_unet import PlainUNet
from madad.models.networks.tensor_layout import as_images, as_volume, check_reach, in_passes

# Points of a random curve of intensities, evenly spaced over [0, 1].
CURVE_POINTS = 6


class Inpainting(nn.Module):
    """Regressor of healthy images; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        spatial_dims: int,
        base_channels: int,
        channel_multipliers: list[int],
        norm_groups: int,
        gradient_weight: float,
        lesion_weight: float,
        remapped_share: float,
        residual_shift: int,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        self.unet = PlainUNet(
            spatial_dims=spatial_dims,
            in_channels=1,
            out_channels=1,
            base_channels=base_channels,
            channel_multipliers=channel_multipliers,
            norm_groups=norm_groups,
        )
        self.spatial_dims = spatial_dims
        self.gradient_weight = gradient_weight
        self.lesion_weight = lesion_weight
        self.remapped_share = remapped_share
        self.residual_shift = residual_shift
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the weighted error of the healthy images, (B, 1, H, W) or (B, 1, S, H, W); UNA, `k` as above."""
        image, brain, healthy = batch["image"], batch["brain"], batch["healthy"]
        shown = torch.rand(len(image), generator=generator) < self.remapped_share
        curves = draws.like(torch.rand(len(image), CURVE_POINTS, generator=generator), image)
        shown = draws.sent(shown, image.device).view(-1, *[1] * (image.ndim - 1)) & brain
        error = self._predict(torch.where(shown, remap(image, curves), image)) - healthy
        weight = 1 + self.lesion_weight * batch["lesion"].float()
        losses = {"intensity": (weight * error.abs()).mean(), "gradient": gradient_error(error, weight)}
        return {"loss": losses["intensity"] + self.gradient_weight * losses["gradient"], **losses}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the network's error; nothing is clipped."""
        images = as_images(volume, self.spatial_dims)
        return as_volume(in_passes(self._predict, self.slices_per_pass, images), self.spatial_dims)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the residual in the brain (S, H, W), the smallest over the displacements that are forgiven."""
        return shift_robust_residual(volume, reconstruction, self.residual_shift, self.spatial_dims) * brain

    def _predict(self, images: Tensor) -> Tensor:
        check_reach(images, self.unet.reach, "inpainting.parameters.channel_multipliers")
        return self.unet(images)


def gradient_error(error: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of k |grad x' - grad x|_1 of errors x' - x and weights k, both (B, 1, …); differences to the next voxel."""
    axes = range(2, error.ndim)
    return torch.stack([(weight.narrow(a, 0, error.shape[a] - 1) * error.diff(dim=a).abs()).mean() for a in axes]).sum()


def remap(image: Tensor, curves: Tensor) -> Tensor:
    """Change the contrast: map every intensity through the curve of its image, which need not rise.

    Our substitute for the published synthesis of images from label maps, which are not available here.

    Args:
        image: (B, 1, …) in [0, 1].
        curves: (B, K) values at 0, 1 / (K - 1), …, 1; linear between them.

    Returns:
        (B, 1, …) in [0, 1].
    """
    position = image.clamp(0, 1).flatten(1) * (curves.shape[1] - 1)
    below = position.floor().clamp(max=curves.shape[1] - 2)
    low, high = (curves.gather(1, (below + step).long()) for step in (0, 1))
    return torch.lerp(low, high, position - below).view_as(image)
