"""The generator as a MONAI dictionary transform, for use in any training.

Compose([LoadImaged(...), EnsureChannelFirstd(...), RandFluidAnomalyd("image", brain_key="brain", sign=-1, prob=0.8)])
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform

from madad.data.anomalies.appearance import Appearance, draw_change, encode, lesion_mask
from madad.data.anomalies.generator import describe_region, draw_map
from madad.data.anomalies.velocity import MULTIPLIER


class RandFluidAnomalyd(RandomizableTransform, MapTransform):
    """Add a fluid-driven random lesion to healthy images (Liu et al. 2025, arXiv:2501.13370), 2D or 3D.

    For every key the healthy image stays in the dictionary as `<key>_healthy`; the lesion (bool) and its soft map are
    added under `lesion_key` and `map_key`. All keys share one lesion. Where nothing is implanted the image is unchanged
    and lesion and map are empty.

    Args:
        keys: channel-first images (C, H, W) or (C, D, H, W), intensities in [0, 1], isotropic voxels.
        brain_key: key of the brain mask (1, …); without it the voxels above 0 of the first image are the brain.
        sign: +1 for bright lesions (T2w, FLAIR), −1 for dark ones (T1w, CT).
        prob: probability of a lesion.
        spacing_mm: edge length of a voxel.
        volume_ml: smallest and largest starting volume; in 2D the disc of the same radius.
        components: largest number of separate starting blobs.
        time: shortest and longest time of the flow.
        multiplier: of the potentials, on a grid 200 voxels wide.
        diffusivity: largest D, about; 0 for pure advection.
        boundary: "brain": nothing crosses the brain's contour; "box": the authors' code, masked afterwards.
        appearance: how the lesion changes the intensities.
    """

    def __init__(
        self,
        keys: KeysCollection,
        brain_key: Hashable | None = None,
        *,
        sign: int = 1,
        prob: float = 0.8,
        spacing_mm: float = 1.0,
        volume_ml: Sequence[float] = (0.3, 150.0),
        components: int = 3,
        time: Sequence[float] = (0.1, 0.9),
        multiplier: float = MULTIPLIER,
        diffusivity: float = 0.0,
        boundary: str = "brain",
        appearance: Appearance | None = None,
        lesion_key: Hashable = "lesion",
        map_key: Hashable = "lesion_map",
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        self.brain_key, self.sign, self.spacing_mm, self.boundary = brain_key, sign, spacing_mm, boundary
        self.appearance, self.lesion_key, self.map_key = appearance or Appearance(), lesion_key, map_key
        self.options = {
            "random_shapes": 1.0,
            "volume_ml": tuple(volume_ml),
            "components": components,
            "time": tuple(time),
            "multiplier": multiplier,
            "diffusivity": diffusivity,
        }
        self.seed = 0

    def randomize(self, data: Any = None) -> None:
        """Draw whether there is a lesion, and the seed of everything about it."""
        super().randomize(data)
        self.seed = int(self.R.randint(2**31))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a new dictionary; the given arrays are not modified."""
        result = dict(data)
        self.randomize()
        first = torch.as_tensor(data[self.first_key(result)])
        brain = first[0] > 0 if self.brain_key is None else torch.as_tensor(data[self.brain_key])[0] > 0
        generator = np.random.default_rng(self.seed)
        values = np.zeros(brain.shape, dtype=np.float32)
        if self._do_transform and bool(brain.any()):
            region = describe_region(brain.cpu().numpy(), self.spacing_mm, self.boundary)
            values = draw_map(region, [], self.options, generator).array
        maps = torch.from_numpy(values).to(first.device)
        for key in self.key_iterator(data):
            result[f"{key}_healthy"] = data[key]
            result[key] = self._show(data[key], maps, generator)
        result[self.lesion_key], result[self.map_key] = lesion_mask(maps[None]), maps[None]
        return result

    def _show(self, image: Any, maps: torch.Tensor, generator: np.random.Generator) -> Any:
        healthy = torch.as_tensor(image)
        repeated = maps[None].expand(len(healthy), *maps.shape)
        signs = torch.full((len(healthy),), float(self.sign))
        change = draw_change(healthy, repeated, signs, self.appearance, [generator] * len(healthy))
        lesioned = encode(healthy, repeated, change)
        return lesioned.cpu().numpy() if isinstance(image, np.ndarray) else lesioned
