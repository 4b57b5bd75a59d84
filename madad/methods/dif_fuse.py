"""Healthy counterfactuals where a classifier looks (Dif-fuse).

Fontanella, Mair, Wardlaw, Trucco & Storkey 2023, arXiv 2308.02062.

1. Training: a classifier learns whether a slice has a (synthetic) lesion, a diffusion model the distribution of healthy slices.
2. Test: where the classifier's answer depends on the image is its saliency; the top tenth of the brain, blurred and
   binarised, is the region that may change.
3. The slice is taken deterministically (DDIM) to the noise of level `test_timestep`, and back: by random steps (DDPM) in the
   region, along its own states outside, joined at every step.
4. Map: |x - x'| in the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core import draws
from madad.core.interfaces import Batch
from madad.models.diffusion import ancestral, sampling, schedules
from madad.models.diffusion.forward import add_noise, draw_timesteps, from_signed, to_signed
from madad.models.diffusion.fused import fused, invert
from madad.models.diffusion.residuals import residual
from madad.models.networks.resnet import ResNetEncoder
from madad.models.networks.tensor_layout import in_passes
from madad.models.networks.unet import UNet, UNetSizes

BLUR = 5  # voxels, of the saliency and of the region


class DifFuse(nn.Module):
    """Classifier and diffusion model; hyper-parameters as in the card."""

    def __init__(
        self,
        *,
        classifier_width: int,
        schedule: str,
        num_train_timesteps: int,
        test_timestep: int,
        sampling_steps: int,
        salient_share: float,
        slices_per_pass: int,
        **sizes: Unpack[UNetSizes],
    ) -> None:
        super().__init__()
        self.unet = UNet(in_channels=1, out_channels=1, scale_shift=True, **sizes)
        self.classifier = ResNetEncoder(depth=18, width=classifier_width, stages=4, outputs=1, drop_path=0.0, zero_branches=False)
        self.alphas_cumprod = schedules.alphas_cumprod(schedule, num_train_timesteps)
        (start,) = sampling.level_indices([test_timestep], num_train_timesteps, "dif_fuse.parameters.test_timestep")
        self.timesteps = ancestral.respaced(start, sampling_steps, "dif_fuse.parameters.sampling_steps").tolist()
        self.salient_share = salient_share
        self.slices_per_pass = slices_per_pass

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the cross-entropy of the labels of slices (B, 1, H, W) and the error of the noise in their healthy versions.

        Ho et al. 2020 (arXiv 2006.11239), eq. 14. The two networks share nothing; their losses are added for one optimiser.
        """
        labels = batch["lesion"].flatten(1).any(dim=1).float()
        answers = self.classifier(batch["image"]).float().squeeze(1)
        x_0 = to_signed(batch["healthy"])
        t, noise = draw_timesteps(len(x_0), self.alphas_cumprod, generator), ancestral.gaussian_like(x_0, generator)
        predicted = self.unet(add_noise(x_0, noise, t, self.alphas_cumprod), draws.sent(t, x_0.device)).float()
        losses = {
            "label": functional.binary_cross_entropy_with_logits(answers, labels),
            "noise": functional.mse_loss(predicted, noise),
        }
        return {"loss": losses["label"] + losses["noise"], **losses}

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volume (S, 1, H, W) in [0, 1] up to the network's error; only the region changes."""
        region = in_passes(self.region, self.slices_per_pass, volume)
        chain = {"timesteps": self.timesteps, "alphas_cumprod": self.alphas_cumprod}
        states = invert(self._noise, to_signed(volume), **chain)
        healthy = from_signed(fused(self._noise, states, region, **chain, generator=generator))
        return torch.where(region, healthy, volume)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the residual (S, H, W) in the brain."""
        return residual(volume, reconstruction) * brain

    def region(self, images: Tensor) -> Tensor:
        """Return where slices (B, 1, H, W) may change, bool: within the blur of the most salient voxels of each."""
        saliency = functional.avg_pool2d(self.saliency(images), BLUR, stride=1, padding=BLUR // 2)
        inside = images > 0
        top = torch.stack([_top(s, b, self.salient_share) for s, b in zip(saliency, inside, strict=True)])
        return (functional.avg_pool2d(top.float(), BLUR, stride=1, padding=BLUR // 2) > 0) & inside

    @torch.inference_mode(False)
    @torch.enable_grad()
    def saliency(self, images: Tensor) -> Tensor:
        """Return |d answer / d x| of slices (B, 1, H, W); Simonyan et al. 2014 (arXiv 1312.6034), section 3.1."""
        x = images.clone().requires_grad_()  # tensors made in inference mode have no gradient
        (gradient,) = torch.autograd.grad(self.classifier(x).sum(), x)
        return gradient.abs()

    def _noise(self, x_t: Tensor, t: int) -> Tensor:
        return in_passes(lambda x: self.unet(x, torch.full((len(x),), t, device=x.device)), self.slices_per_pass, x_t)


def _top(saliency: Tensor, inside: Tensor, share: float) -> Tensor:
    """Return the most salient `share` of the voxels of a slice that are inside; none if no voxel is."""
    if not inside.any():
        return inside
    return inside & (saliency >= torch.quantile(saliency[inside], 1 - share))
