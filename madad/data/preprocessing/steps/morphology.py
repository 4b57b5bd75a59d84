"""Morphology of masks, bool (I, J, K) on isotropic grids; lengths are in voxels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def largest(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected piece."""
    labels, count = ndimage.label(mask)
    return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]) if count > 1 else mask


def clean(mask: np.ndarray) -> np.ndarray:
    """Return the largest piece with its holes filled. A single slice (I, J, 1) of a brain may have several, which are kept."""
    if mask.shape[2] == 1:
        return ndimage.binary_fill_holes(mask[..., 0])[..., None]
    return ndimage.binary_fill_holes(largest(mask))


def opened(mask: np.ndarray, radius: float) -> np.ndarray:
    """Open by a ball: parts thinner than twice the radius are removed. A mask that is thinner everywhere is kept."""
    core = ndimage.distance_transform_edt(mask) > radius
    return mask & (ndimage.distance_transform_edt(~core) <= radius) if core.any() else mask


def closed(mask: np.ndarray, radius: float) -> np.ndarray:
    """Close by a ball: clefts narrower than twice the radius are filled."""
    margin = int(radius) + 2
    near = ndimage.distance_transform_edt(~np.pad(mask, margin)) <= radius
    return (ndimage.distance_transform_edt(near) > radius)[(slice(margin, -margin),) * 3] | mask


def peeled(mask: np.ndarray, array: np.ndarray, darkness: float, depth: float) -> np.ndarray:
    """Remove the dark voxels that are connected to the outside.

    Args:
        mask: the mask to trim.
        array: intensities.
        darkness: voxels are dark below this part of the median of all voxels deeper than `depth`.
        depth: largest depth below the mask's surface of removed voxels.
    """
    below = ndimage.distance_transform_edt(mask)
    if not (below > depth).any():
        return mask
    dark = mask & (below <= depth) & (ndimage.gaussian_filter(array, 0.5) < darkness * np.median(array[below > depth]))
    return mask & ~ndimage.binary_propagation(~mask, mask=~mask | dark)
