"""How well a healthy brain is reproduced: explains failures, ranks nothing."""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

from madad.evaluation.metrics.bounding_box import bounding_box

# Intensities lie in [0, 1] inside the brain (`madad.core.interfaces`).
DATA_RANGE = 1.0
WINDOW = 7


def fidelity(image: np.ndarray, reconstruction: np.ndarray, brain: np.ndarray) -> dict[str, float]:
    """l1, PSNR in dB and SSIM inside the brain, without post-processing.

    l1 is the mean of |x̂ − x| over brain voxels; for that of the papers see `whole_volume_l1`.
    SSIM: Wang et al. 2004 (doi:10.1109/TIP.2003.819861) with a cubic window of 7 voxels, averaged over brain voxels.

    Args:
        image, reconstruction: (S, H, W), in [0, 1].
        brain: (S, H, W) bool.
    """
    if not brain.any():
        return {"l1": np.nan, "psnr": np.nan, "ssim": np.nan}
    difference = reconstruction[brain].astype(np.float64) - image[brain]
    squared = float(np.mean(difference**2))
    psnr = 10 * np.log10(DATA_RANGE**2 / squared) if squared else np.inf
    return {"l1": float(np.abs(difference).mean()), "psnr": psnr, "ssim": _ssim(image, reconstruction, brain)}


def tissue_l1(image: np.ndarray, reconstruction: np.ndarray, brain: np.ndarray, lesion: np.ndarray) -> dict[str, float]:
    """Mean of |x̂ − x| over the lesion voxels of the brain and over its healthy tissue; NaN where there is none.

    Their ratio says whether lesions are taken out or copied: the residual is of no use where it is 1.

    Args:
        image, reconstruction: (S, H, W).
        brain, lesion: (S, H, W) bool.
    """
    difference = np.abs(reconstruction[brain] - image[brain])
    inside = lesion[brain]
    parts = {"l1_lesion": difference[inside], "l1_healthy_tissue": difference[~inside]}
    return {name: float(part.mean(dtype=np.float64)) if part.size else np.nan for name, part in parts.items()}


def whole_volume_l1(image: np.ndarray, reconstruction: np.ndarray) -> float:
    """Mean of |x̂ − x| over all voxels (S, H, W), empty background included: the l1 that papers print."""
    return float(np.abs(reconstruction - image).mean(dtype=np.float64))


def _ssim(image: np.ndarray, reconstruction: np.ndarray, brain: np.ndarray) -> float:
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
