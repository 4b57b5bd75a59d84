"""Mask, stitch and re-sample: a first chain says what to paint over, a second one paints it (AutoDDPM).

Bercea, Neumayr, Rueckert, Schnabel 2023, ICML workshop IMLH, arXiv 2305.19643.

1. A U-Net learns from healthy slices to predict the noise (the part `noise_predictor`).
2. Test: a chain from t = 200 gives x'; r = |x - x'| over its 95th percentile in the brain, at most 1; L = perceptual distance.
3. M = L r is a soft mask; where it exceeds a quantile, dilated by a voxel, the slice is painted anew.
4. From x' with noise of t = 50, back to 0: outside the mask every level has the noisy slice itself, so that both sides fit
   together; every level is repeated, going back up by a step between (RePaint).
5. Map: |x - y| M in the brain, y the painted slice.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from madad.models.diffusion import noise_chain
from madad.models.diffusion.forward import from_signed, to_signed
from madad.models.diffusion.noise_chain import ChainMethod
from madad.models.diffusion.repaint import repainted
from madad.models.networks.perceptual import Perception, perceptual_distance

RESIDUAL_QUANTILE = 0.95


class AutoDDPM(ChainMethod):
    """Two chains of a trained predictor; hyper-parameters as in the card.

    Args:
        shared: the hyper-parameters of `ChainMethod`.
    """

    def __init__(
        self,
        *,
        perception: Perception | None,
        inpaint_timestep: int,
        inpaint_steps: int,
        resamplings: int,
        mask_quantile: float,
        **shared: Any,
    ) -> None:
        super().__init__("autoddpm", **shared, largest_variance=False)
        self.perception = perception
        key = "autoddpm.parameters: inpaint_timestep and inpaint_steps"
        self.painting = noise_chain.build(self.predictor, inpaint_timestep, inpaint_steps, key, self.slices_per_pass)
        self.resamplings = resamplings
        self.mask_quantile = mask_quantile
        self.painted: tuple[Tensor, Tensor] | None = None

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the painted slices (S, 1, H, W) in [0, 1], and keep the soft masks for the map that follows."""
        first = from_signed(self.chain.restored(to_signed(volume), generator))
        soft, mask = self.masks(volume, first)
        x, begun = to_signed(volume), to_signed(first)
        painted = from_signed(repainted(self.painting, x, begun, mask, self.resamplings, generator))
        self.painted = painted, soft
        return painted

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return |x - y| M in the brain (S, H, W); arXiv 2305.19643, section 2."""
        if self.painted is None or reconstruction is not self.painted[0]:
            raise ValueError("the map needs what `reconstruct` has just returned")
        return ((volume - reconstruction).abs() * self.painted[1]).mean(dim=1) * brain

    def masks(self, x: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Return the soft masks M and the dilated binary ones (S, 1, H, W) of slices and first reconstructions, in [0, 1]."""
        brain, difference = x > 0, (x - first).abs()
        limit = slice_quantile(difference, brain, RESIDUAL_QUANTILE)
        relative = (difference / limit.clamp_min(torch.finfo(x.dtype).tiny)).clamp(max=1)
        soft = relative * perceptual_distance(self.perception, x, first, self.slices_per_pass)
        mask = brain & (soft > slice_quantile(soft, brain, self.mask_quantile))
        return soft, functional.max_pool2d(mask.to(x), 3, stride=1, padding=1) > 0


def slice_quantile(values: Tensor, brain: Tensor, share: float) -> Tensor:
    """Return a quantile of the values in the brain of each slice, (S, 1, 1, 1); 0 where there is no brain."""
    inside = torch.where(brain, values, torch.nan).flatten(1)
    return torch.nanquantile(inside, share, dim=1).nan_to_num().view(-1, 1, 1, 1)
