"""Single lesions of one test sample: how bright each is, and what becomes of it under one threshold."""

from __future__ import annotations

import numpy as np

from madad.core.io.manifest import Row
from madad.core.shapes import Vector3
from madad.evaluation.metrics.connected_components import components
from madad.evaluation.metrics.lesion_contrast import FARTHEST_MM, lesion_contrast
from madad.evaluation.metrics.lesion_detection import MIN_VOXELS, ONE_IN, matches
from madad.evaluation.results.single_lesions import as_text


def contrasts(image: np.ndarray, lesion: np.ndarray, brain: np.ndarray, spacing_mm: Vector3) -> tuple[float, ...]:
    """Return the contrast of every lesion, small ones included, in the order of `components`.

    Args:
        image: (S, H, W), as methods see it.
        lesion: (S, H, W) bool.
        brain: (S, H, W) bool, where lesions count.
        spacing_mm: edges of a voxel along (S, H, W).
    """
    inside = lesion & brain
    parts, margin = components(inside), int(np.ceil(FARTHEST_MM / min(spacing_mm))) + 1
    found = []
    for number in range(parts.number):
        at = np.stack(np.unravel_index(parts.places[parts.members == number], inside.shape))
        # what is farther away decides nothing, and would be looked at for every lesion
        low = np.maximum(at.min(axis=1) - margin, 0)
        near = tuple(map(slice, low, at.max(axis=1) + margin + 1))
        one = np.zeros_like(inside[near])
        one[tuple(at - low[:, None])] = True
        found.append(lesion_contrast(image[near], one, brain[near], spacing_mm, lesion[near]))
    return tuple(found)


def lesion_rows(reference: np.ndarray, prediction: np.ndarray | None, contrast: tuple[float, ...], voxel_ml: float) -> list[Row]:
    """Return one row for every lesion of a sample, with the columns `MEASURED` of the table of single lesions.

    Lesions are found and matched by the rules of `madad.evaluation.metrics.lesion_detection`.

    Args:
        reference: (S, H, W) bool.
        prediction: (S, H, W) bool, after small components are removed; None where there is no threshold.
        contrast: of every lesion, see `contrasts`.
        voxel_ml: volume of a voxel.
    """
    parts = components(reference)
    sizes = np.bincount(parts.members, minlength=parts.number)
    counts = parts.at_least(MIN_VOXELS)
    rows: list[Row] = [
        {
            "lesion": str(number + 1),
            "voxels": str(size),
            "volume_ml": as_text(float(size * voxel_ml)),
            "contrast": as_text(one),
            "counts": str(int(enough)),
        }
        for number, (size, enough, one) in enumerate(zip(sizes, counts, contrast, strict=True))
    ]
    if prediction is None:
        return rows
    covered = np.bincount(parts.members[prediction.ravel()[parts.places]], minlength=parts.number)
    names = np.zeros(reference.size, dtype=np.int32)
    names[parts.places] = np.where(counts, np.cumsum(counts), 0)[parts.members]
    predicted = components(prediction)
    matched = matches(predicted, names[predicted.places], sizes[counts])
    for row, size, own, enough, name in zip(rows, sizes, covered, counts, np.cumsum(counts), strict=True):
        row["covered"] = as_text(float(own / size))
        if enough:
            partner = matched.get(int(name))
            row["iou"] = as_text(partner[1] if partner else 0.0)
            row |= {"found": str(int(ONE_IN * own >= size)), "matched": str(int(partner is not None))}
    return rows
