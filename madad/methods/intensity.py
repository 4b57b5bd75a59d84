"""Intensity after histogram equalisation as anomaly map: the baseline that needs no training.

Meissen, Kaissis & Rueckert 2021, doi:10.1007/978-3-031-08999-2_5.

1. Equalise the histogram of the brain voxels of each volume: x becomes the share of brain voxels darker than it.
2. Bright tail: the equalised intensity is the map. Lesions shine on FLAIR and T2w.
3. Dark tail: one minus it. Stroke and hypo-intense lesions are dark on T1w.
4. Both tails: the distance from the median, 2 |u - 1/2|.
5. Outside the brain the map is 0.

The ranks are those of the whole scale: voxels above the normal range are not cut to one value before they are ranked.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor

from madad.models.untrained import Untrained

TAILS = {
    "bright": lambda u: u,
    "dark": lambda u: 1 - u,
    "both": lambda u: 2 * (u - 0.5).abs(),
}


class Intensity(Untrained):
    """Equalised intensity; hyper-parameters as in the card."""

    whole_scale = True

    def __init__(self, *, tail: str) -> None:
        super().__init__()
        self.tail = TAILS[tail]

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        """Return None: there is no reconstruction."""
        return None

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the equalised intensity (S, H, W) of a volume (S, C, H, W), the mean over channels; 0 where `brain` is False."""
        channels = [self.tail(equalised(channel, brain)) for channel in volume.unbind(1)]
        return torch.stack(channels).mean(0) * brain


def equalised(image: Tensor, brain: Tensor) -> Tensor:
    """Equalise the histogram without bins, by the empirical distribution function of the brain voxels.

    Args:
        image: (S, H, W).
        brain: (S, H, W) bool.

    Returns:
        (S, H, W) in (0, 1): the share of brain voxels that are darker, equal ones counted half. 0.5 without a brain.
    """
    values = image[brain].contiguous().sort().values
    if not len(values):
        return torch.full_like(image, 0.5)
    flat = image.flatten().contiguous()
    darker = torch.searchsorted(values, flat)
    darker_or_equal = torch.searchsorted(values, flat, right=True)
    return ((darker + darker_or_equal) / (2 * len(values))).to(image.dtype).view_as(image)
