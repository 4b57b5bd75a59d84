"""How well an image is reconstructed: this explains failures, but does not rank methods."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from madad.evaluation.metrics.bounding_box import bounding_box

# Intensities lie in [0, 1] inside the brain (`madad.core.interfaces`).
DATA_RANGE = 1.0
WINDOW = 7


@dataclass(frozen=True)
class Reconstruction:
    """An image and what a method made of it, without post-processing.

    Attributes:
        image: (S, H, W), in [0, 1].
        reconstruction: (S, H, W), in [0, 1].
        brain: (S, H, W) bool.
        lesion: (S, H, W) bool.
    """

    image: np.ndarray
    reconstruction: np.ndarray
    brain: np.ndarray
    lesion: np.ndarray

    @cached_property
    def difference(self) -> np.ndarray:
        """Reconstruction minus image of every brain voxel, (V,) float64."""
        return self.reconstruction[self.brain].astype(np.float64) - self.image[self.brain]


def l1(one: Reconstruction) -> float:
    """Return the mean of |x̂ − x| over brain voxels; for that of the papers see `whole_volume_l1`."""
    return float(np.abs(one.difference).mean()) if one.difference.size else np.nan


def psnr(one: Reconstruction) -> float:
    """Return the peak signal-to-noise ratio over brain voxels in dB."""
    if not one.difference.size:
        return np.nan
    squared = float(np.mean(one.difference**2))
    return 10 * np.log10(DATA_RANGE**2 / squared) if squared else np.inf


def ssim(one: Reconstruction) -> float:
    """Return the structural similarity, averaged over brain voxels.

    Source: Wang et al. 2004 (doi:10.1109/TIP.2003.819861) with a cubic window of 7 voxels.
    """
    return _ssim(one.image, one.reconstruction, one.brain) if one.difference.size else np.nan


def l1_lesion(one: Reconstruction) -> float:
    """Return the mean of |x̂ − x| over the lesion voxels of the brain; NaN without any.

    Its ratio to `l1_healthy_tissue` shows whether lesions are removed or copied: the residual is useless where it is 1.
    """
    return _tissue_l1(one, one.lesion[one.brain])


def l1_healthy_tissue(one: Reconstruction) -> float:
    """Return the mean of |x̂ − x| over the healthy tissue of the brain; NaN without any."""
    return _tissue_l1(one, ~one.lesion[one.brain])


def _tissue_l1(one: Reconstruction, inside: np.ndarray) -> float:
    part = np.abs(one.reconstruction[one.brain] - one.image[one.brain])[inside]
    return float(part.mean(dtype=np.float64)) if part.size else np.nan


def whole_volume_l1(image: np.ndarray, reconstruction: np.ndarray) -> float:
    """Return the mean of |x̂ − x| over all voxels (S, H, W), empty background included: the l1 that papers print."""
    return float(np.abs(reconstruction - image).mean(dtype=np.float64))


def _ssim(image: np.ndarray, reconstruction: np.ndarray, brain: np.ndarray) -> float:
    from skimage.metrics import structural_similarity  # slow to import, and the tables of metrics import this module

    window = min(WINDOW, *(side - 1 + side % 2 for side in image.shape))
    if window < 3:  # one or two slices hold no window
        return np.nan
    # windows reach half their size beyond the brain; the room must hold at least one
    room = tuple(
        slice(max(0, min(part.start - window // 2, size - window)), max(part.stop + window // 2, window))
        for part, size in zip(bounding_box(brain), brain.shape, strict=True)
    )
    inside = [np.where(brain, array, 0)[room].astype(np.float32) for array in (image, reconstruction)]
    _, similarity = structural_similarity(*inside, win_size=window, data_range=DATA_RANGE, full=True)
    return float(similarity[brain[room]].mean())
