"""Distance from the healthy mean in healthy standard deviations, voxel by voxel: the classical control.

Voxelwise comparison with healthy controls in a common space, as Gillebert, Humphreys & Mantini 2014,
doi:10.1016/j.nicl.2014.03.009, find stroke lesions in CT.

1. All healthy training volumes lie on one grid, normalised alike; each is blurred by a Gaussian if wanted.
2. Mean m(v) and variance s2(v) of every voxel v over the volumes, by Welford's recurrence (doi:10.1080/00401706.1962.10490022):
   exact, one volume in memory at a time. Background counts as the 0 it is, so that the rim of the brain varies most.
3. z(v) = (x(v) - m(v)) / sqrt(s2(v) + `sd_floor`^2) of the image x, blurred likewise.
4. Map: z for bright, -z for dark lesions, each cut at 0, or |z| for both; 0 outside the brain.
5. The pseudo-healthy volume is m.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from madad.core.errors import UserError
from madad.core.interfaces import Batch
from madad.models.untrained import Untrained

TAILS = {
    "bright": lambda z: z.clamp(min=0),
    "dark": lambda z: (-z).clamp(min=0),
    "both": lambda z: z.abs(),
}


class AtlasZ(Untrained):
    """Voxelwise mean and variance; hyper-parameters as in the card."""

    def __init__(self, *, tail: str, sd_floor: float, smoothing: float) -> None:
        super().__init__()
        self.tail = TAILS[tail]
        self.sd_floor = sd_floor
        self.smoothing = smoothing
        # sized by the first volume of `fit`
        self.register_buffer("mean", torch.empty(0))
        self.register_buffer("variance", torch.empty(0))

    def fit(self, data: Iterable[Batch], generator: torch.Generator) -> None:
        """Compute mean and variance (1, S, H, W) of volumes (1, 1, S, H, W), in float64; the variance of one volume is 0."""
        mean, squares = torch.zeros(()), torch.zeros(())
        count = 0
        for count, batch in enumerate(data, start=1):
            x = self._blurred(batch["image"][0].cpu().double())
            if mean.shape not in (x.shape, ()):
                raise UserError(f"atlas_z: volume {count} has {_sides(x)} voxels, those before it {_sides(mean)}; use one grid")
            deviation = x - mean
            mean = mean + deviation / count
            squares = squares + deviation * (x - mean)
        self.mean, self.variance = mean.float(), (squares / max(count - 1, 1)).float()

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean healthy volume (S, 1, H, W), whatever the volume.

        Raises:
            UserError: the volume is not on the grid of the atlas.
        """
        if self.mean.shape[1:] != volume[:, 0].shape:
            raise UserError(
                f"atlas_z: a volume of {_sides(volume[:, 0])} voxels, but the atlas has {_sides(self.mean[0])}; "
                "give the test set the pipeline of the training cohort"
            )
        return self.mean.transpose(0, 1)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return z of the volume (S, H, W), or the suspicious tail of it; 0 where `brain` is False."""
        x = self._blurred(volume.transpose(0, 1))
        z = (x - self.mean) / (self.variance + self.sd_floor**2).sqrt()
        return self.tail(z)[0] * brain

    def _blurred(self, image: Tensor) -> Tensor:
        """Blur an image (1, S, H, W) by a Gaussian in 3D; beyond its border it counts as 0."""
        if not self.smoothing:
            return image
        blurred = gaussian_filter(image[0].cpu().numpy(), self.smoothing, mode="constant")
        return torch.from_numpy(blurred).to(image).unsqueeze(0)


def _sides(image: Tensor) -> str:
    return " x ".join(map(str, image.shape[-3:]))
