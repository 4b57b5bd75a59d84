"""Training pairs drawn on the fly: a healthy image, the same image with a synthetic lesion, and the lesion's mask."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from madad.core.interfaces import Pair
from madad.data.anomalies.appearance import Appearance, draw_change, encode, lesion_mask
from madad.data.anomalies.bank import Bank

# Lesions smaller than this share of the image count as none (Liu et al. 2025, released configuration).
SMALLEST = 1e-6
# Number of times that a map is drawn if it misses the brain, before the image stays healthy.
ATTEMPTS = 5


class Pairs:
    """Draws maps from a bank and adds their lesions to images.

    All random numbers come from the generator that is passed in; the result is on the image's device.
    """

    def __init__(self, bank: Bank, sign: list[int], appearance: Appearance | None = None, healthy: float = 0.2) -> None:
        """Store the bank and the options.

        Args:
            bank: warped maps on the images' grid.
            sign: +1 or −1 for every channel, see `sites.pack_sign`.
            appearance: how lesions change the intensities.
            healthy: probability that an image stays healthy (0.2: Lawry Aguila et al. 2025, released code).
        """
        self.bank, self.sign, self.appearance, self.healthy = bank, sign, appearance or Appearance(), healthy

    def __call__(self, image: Tensor, brain: Tensor, generator: torch.Generator) -> Pair:
        """Return a pair for every image.

        Args:
            image: healthy images (B, C, H, W) or (B, C, S, H, W), on the bank's grid.
            brain: (B, 1, …) bool.
            generator: CPU generator.

        Raises:
            ValueError: the images are not on the bank's grid, or the number of signs is not that of the channels.
        """
        grid = tuple(image.shape[2:])
        if grid != self.bank.shape[-len(grid) :] or len(self.sign) != image.shape[1]:
            raise ValueError(
                f"images {tuple(image.shape)} need a bank on their grid (it has {self.bank.shape}) and one sign per channel"
            )
        seeds = torch.randint(2**62, (len(image),), generator=generator).tolist()
        generators = [np.random.default_rng(seed) for seed in seeds]
        drawn = [self._map(part.cpu().numpy(), g) for part, g in zip(brain[:, 0], generators, strict=True)]
        maps = torch.from_numpy(np.stack(drawn)).to(image.device)
        lesioned = torch.empty_like(image)
        for channel, sign in enumerate(self.sign):
            healthy = image[:, channel]
            change = draw_change(healthy, maps, torch.full((len(image),), float(sign)), self.appearance, generators)
            lesioned[:, channel] = encode(healthy, maps, change)
        return {"image": lesioned, "healthy": image, "lesion": lesion_mask(maps)[:, None], "map": maps[:, None]}

    def _map(self, brain: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Draw a map inside one brain; it is empty where the image stays healthy."""
        if generator.random() >= self.healthy:
            for _ in range(ATTEMPTS):
                index = int(generator.integers(len(self.bank)))
                whole = self.bank.volume(index) if brain.ndim == 3 else self.bank.slice(index, generator)
                kept = np.where(brain, whole, 0)
                if (kept > 0.2 * kept.max()).mean() > SMALLEST:
                    return kept
        return np.zeros(brain.shape, dtype=np.float32)
