"""Lesions as objects: which ones a prediction finds, and how many false positives it has.

A lesion is a 26-connected component of the reference mask. Two questions are asked of it:

1. Is it matched? Lesions and predicted components are matched one to one where their intersection over union is at least a
   tenth, the best pairs first. Matched pairs are the true positives, components without a partner the false positives, lesions
   without one the misses: precision, F1, the number of false positives and FROC are of this matching.
2. Is it noticed? At least a tenth of its voxels is predicted, whatever else is. This lenient question is that of the smallest
   lesion found.

Source: one-to-one matching of Maier-Hein et al. 2024 (Metrics Reloaded, doi:10.1038/s41592-023-02151-z), greedy as in panoptica
(Kofler et al. 2023, arXiv 2312.02608); the tenth is that of Commowick et al. 2018 (doi:10.1038/s41598-018-31911-7).
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
        matched: pairs of a lesion and a component that share at least a tenth of their union, one to one.
        predicted: predicted components, without those that touch nothing but lesions too small to count.
        specks: whether the reference holds voxels, but of lesions too small to count alone.
    """

    lesions: int
    found: int
    matched: int
    predicted: int
    specks: bool = False

    @property
    def false_positives(self) -> int:
        """Predicted components without a lesion of their own."""
        return self.predicted - self.matched


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
    covered = np.bincount(names[names > 0], minlength=number + 1)[1:]
    return LesionCounts(
        lesions=number,
        found=int(np.count_nonzero(ONE_IN * covered >= lesion_voxels)),
        matched=len(matches(parts, names, lesion_voxels)),
        predicted=parts.number - int((excused & ~right).sum()),
        specks=number == 0 and bool(lesions.any()),
    )


def matches(parts: Components, names: np.ndarray, lesion_voxels: np.ndarray) -> dict[int, tuple[int, float]]:
    """Match lesions and components one to one, the pairs with the largest intersection over union first.

    Args:
        parts: components of the prediction.
        names: (V,) label of the lesion under each of their voxels.
        lesion_voxels: (L,) sizes of the lesions 1 … L.

    Returns:
        For every matched lesion its component and their intersection over union, at least a tenth.
    """
    touching = names[names > 0].astype(np.int64) * parts.number + parts.members[names > 0]
    pairs, shared = np.unique(touching, return_counts=True)
    lesions, members = np.divmod(pairs, max(parts.number, 1))
    union = lesion_voxels[lesions - 1] + np.bincount(parts.members, minlength=parts.number)[members] - shared
    enough = np.flatnonzero(ONE_IN * shared >= union)
    found: dict[int, tuple[int, float]] = {}
    taken: set[int] = set()
    for place in enough[np.argsort(-shared[enough] / union[enough], kind="stable")]:
        lesion, member = int(lesions[place]), int(members[place])
        if lesion not in found and member not in taken:
            found[lesion] = (member, float(shared[place] / union[place]))
            taken.add(member)
    return found


def lesions(counts: LesionCounts) -> float:
    """Return the number of lesions that count."""
    return float(counts.lesions)


def lesion_sensitivity(counts: LesionCounts) -> float:
    """Return the share of lesions of which a tenth is predicted."""
    return counts.found / counts.lesions


def lesion_sensitivity_iou(counts: LesionCounts) -> float:
    """Return the share of lesions that are matched."""
    return counts.matched / counts.lesions


def lesion_precision(counts: LesionCounts) -> float:
    """Return the share of predicted components that are matched."""
    return counts.matched / counts.predicted


def lesion_f1(counts: LesionCounts) -> float:
    """Return 2 TP / (2 TP + FP + FN) of the matching, also called recognition quality."""
    both = counts.lesions + counts.predicted
    return 2 * counts.matched / both if both else 0.0


def false_positive_components(counts: LesionCounts) -> float:
    """Return the number of predicted components without a lesion of their own."""
    return float(counts.false_positives)
