"""Lesions as objects: which ones a prediction finds, and how many false positives it has.

A lesion is a 26-connected component of the reference mask. It counts as found when at least a tenth of its voxels is
predicted, a lenient rule about where a lesion is, not how large it is; the stricter one, an intersection over union of at
least a tenth, is reported beside it. A predicted component that touches no lesion is a false positive.

Source: the localisation criteria of Maier-Hein et al. 2024 (Metrics Reloaded, doi:10.1038/s41592-023-02151-z) and the
lesion-wise scores of Commowick et al. 2018 (doi:10.1038/s41598-018-31911-7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from madad.evaluation.metrics.connected_components import Components, components

# Smaller components of a reference mask are as likely an error of the rater or of resampling as a lesion.
MIN_VOXELS = 3
TOO_SMALL = -1
# One voxel in ten is the smallest overlap that counts; as an integer, because 0.1 * 30 is more than 3.
ONE_IN = 10


@dataclass(frozen=True)
class LesionCounts:
    """Lesions of one sample and the components of one prediction.

    Attributes:
        lesions: lesions that count.
        found: those with at least a tenth of their voxels predicted.
        found_by_iou: those that share at least a tenth of the union with the predicted components that touch them.
        predicted: predicted components, without those that touch nothing but lesions too small to count.
        false_positives: predicted components that touch no lesion.
        specks: whether the reference holds voxels, but of lesions too small to count alone.
    """

    lesions: int
    found: int
    found_by_iou: int
    predicted: int
    false_positives: int
    specks: bool = False


def label(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Label the lesions of a reference mask.

    Args:
        mask: (S, H, W) bool.

    Returns:
        Labels (S, H, W) int32 and the number of lesions: 1 … number for components of at least `MIN_VOXELS` voxels,
        `TOO_SMALL` for the others (a component that touches one is neither right nor wrong), 0 elsewhere.
    """
    parts = components(mask)
    enough = parts.at_least(MIN_VOXELS)
    labels = np.zeros(mask.shape, dtype=np.int32)
    labels.ravel()[parts.places] = np.where(enough, np.cumsum(enough), TOO_SMALL)[parts.members]
    return labels, int(enough.sum())


def voxels(labels: np.ndarray, number: int) -> np.ndarray:
    """Return the size in voxels of every lesion, (number,) int64.

    Args:
        labels: of any shape, as `label` gives them.
    """
    return np.bincount(labels[labels > 0], minlength=number + 1)[1:]


def count_components(mask: np.ndarray, min_component: int) -> int:
    """Return the number of 26-connected components of at least `min_component` voxels in a binary volume (S, H, W)."""
    return int(np.count_nonzero(components(mask).at_least(min_component)))


def detection_ordinals(ordinals: np.ndarray, lesion_labels: np.ndarray, number: int) -> np.ndarray:
    """Return the highest threshold at which every lesion is found, so that "found at t" is "t <= it" for any t.

    A tenth of a lesion lies above t when its k-th highest score does, k being a tenth of its voxels, rounded up. Small
    predicted components are not removed here.

    Args:
        ordinals: (V,) uint16 of `madad.evaluation.metrics.ordinal_scores`.
        lesion_labels: (V,) of `label`, in the same order.

    Returns:
        (number,) int64, at least −1, the threshold that takes every voxel.
    """
    inside = lesion_labels > 0
    values, names = ordinals[inside].astype(np.int64), lesion_labels[inside]
    falling = np.lexsort((-values, names))
    sizes = np.bincount(names, minlength=number + 1)[1:]
    first = np.cumsum(sizes) - sizes
    return values[falling][first + _tenth(sizes) - 1] - 1


def match(prediction: np.ndarray, lesions: np.ndarray, number: int, lesion_voxels: np.ndarray) -> LesionCounts:
    """Compare the components of a prediction with the lesions.

    Args:
        prediction: (S, H, W) bool, after small components are removed.
        lesions: (S, H, W) of `label`.
        number: lesions that count.
        lesion_voxels: (number,) their sizes.
    """
    parts = components(prediction)
    names = lesions.ravel()[parts.places]
    right, excused = (np.zeros(parts.number, dtype=bool) for _ in range(2))
    right[parts.members[names > 0]] = True
    excused[parts.members[names != 0]] = True
    excused &= ~right
    covered = np.bincount(names[names > 0], minlength=number + 1)[1:]
    union = lesion_voxels - covered + _touching_voxels(parts, names, number)
    counted = parts.number - int(excused.sum())
    return LesionCounts(
        lesions=number,
        found=int(np.count_nonzero(ONE_IN * covered >= lesion_voxels)),
        found_by_iou=int(np.count_nonzero(ONE_IN * covered >= union)),
        predicted=counted,
        false_positives=counted - int(right.sum()),
        specks=number == 0 and bool(lesions.any()),
    )


def lesions(counts: LesionCounts) -> float:
    """Return the number of lesions that count."""
    return float(counts.lesions)


def lesion_sensitivity(counts: LesionCounts) -> float:
    """Return the share of lesions of which a tenth is predicted."""
    return counts.found / counts.lesions


def lesion_sensitivity_iou(counts: LesionCounts) -> float:
    """Return the share of lesions with an intersection over union of at least a tenth."""
    return counts.found_by_iou / counts.lesions


def lesion_precision(counts: LesionCounts) -> float:
    """Return the share of predicted components that touch a lesion."""
    return 1 - counts.false_positives / counts.predicted


def lesion_f1(counts: LesionCounts) -> float:
    """Return the harmonic mean of the sensitivity by intersection over union and the precision (Commowick et al. 2018).

    A single component over the whole brain covers every lesion and touches one, and must not be perfect.
    """
    strict, precise = lesion_sensitivity_iou(counts), lesion_precision(counts)
    both = strict + precise
    return 2 * strict * precise / both if both else 0.0


def false_positive_components(counts: LesionCounts) -> float:
    """Return the number of predicted components that touch no lesion."""
    return float(counts.false_positives)


def _tenth(sizes: np.ndarray) -> np.ndarray:
    return -(-sizes // ONE_IN)


def _touching_voxels(parts: Components, names: np.ndarray, number: int) -> np.ndarray:
    """Return the voxels of all components that touch each lesion, (number,)."""
    touching = np.unique(names[names > 0].astype(np.int64) * parts.number + parts.members[names > 0])
    lesions, members = np.divmod(touching, parts.number)
    sizes = np.bincount(parts.members, minlength=parts.number)
    return np.bincount(lesions, weights=sizes[members], minlength=number + 1)[1:].astype(np.int64)
