"""Similarity of two images of any contrasts on one grid. Apart from registration, so that what only measures loads no ANTs."""

from __future__ import annotations

import numpy as np


def normalised_mutual_information(first: np.ndarray, second: np.ndarray, inside: np.ndarray, bins: int = 32) -> float:
    """Return the similarity of two images on one grid, from 1 (independent) to 2 (one determines the other).

    Studholme et al. 1999, doi:10.1016/S0031-3203(98)00091-0.

    Args:
        first: intensities of one image, (I, J, K).
        second: intensities of the other image, (I, J, K).
        inside: voxels to compare, (I, J, K) bool.
        bins: histogram bins of each image.
    """
    # Single bright voxels would press the rest of the histogram into a few bins.
    pair = [np.clip(values, *np.percentile(values, (0.5, 99.5))) for values in (first[inside], second[inside])]
    joint, _, _ = np.histogram2d(*pair, bins=bins)
    return mutual_information_of(joint)


def mutual_information_of(joint: np.ndarray) -> float:
    """Return the normalised mutual information of a joint histogram of counts."""
    joint = joint / max(joint.sum(), 1)
    return float((_entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))) / max(_entropy(joint), 1e-12))


def _entropy(probabilities: np.ndarray) -> float:
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log(positive)).sum())
