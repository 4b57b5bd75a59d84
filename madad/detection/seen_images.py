"""What a model has seen: how the healthy images of its training look, so that an image far from all of them can be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from madad.core import intensity_scale
from madad.core.errors import SubjectError, UserError
from madad.core.intensity_scale import seen
from madad.core.io.hdf5 import Pack
from madad.core.io.manifest import read_table
from madad.core.io.volumes import Volume, check_header
from madad.data.preprocessing import quality_control
from madad.data.template import Template

# More images tell no more of a range.
MOST_IMAGES = 200
RAW = ("brain_volume_ml", "registration_nmi", "template_dice", *(f"intensity_p{p}" for p in (1, 25, 50, 75, 99)))
QUANTILES = (5, 25, 50, 75, 95)
# A voxel belongs to a tissue where its probability in the template is at least this.
CERTAIN = 0.8


def summarise(values: Iterable[float]) -> dict[str, float] | None:
    """Return number, median, median absolute deviation and range of finite values; None if there are none."""
    known = np.array([value for value in values if np.isfinite(value)], dtype=float)
    if not known.size:
        return None
    median = float(np.median(known))
    spread = float(np.median(np.abs(known - median)))
    return {"n": int(known.size), "median": median, "mad": spread, "min": float(known.min()), "max": float(known.max())}


def of_training(pack: Path, table: Path, template: Template) -> dict[str, Any]:
    """Return the summaries of a training set: measures of the raw images, of their grids, and of the normalised brains.

    Args:
        pack: training pack.
        table: table of `madad.data.preprocessing.quality_control.judge` of its cohort.
        template: on the grid of the pack.
    """
    collected: dict[str, list[float]] = {}
    with Pack(pack) as images:
        modality, healthy = images.modality, images.healthy()
        chosen = healthy[:: max(1, len(healthy) // MOST_IMAGES)]
        for index in chosen:
            image, brain = seen(images.image(index)).transpose(2, 1, 0), images.brain(index).transpose(2, 1, 0)
            _add(collected, look(image, brain, template))
    for row in read_table(table):
        used = row["verdict"] in quality_control.USABLE and (row["split"], row["modality"]) == ("train", modality)
        if used and row["group"] == "healthy":
            _add(collected, raw_measures(row))
            _add(collected, _voxels(row))
    return {key: summary for key, values in sorted(collected.items()) if (summary := summarise(values))}


def look(image: np.ndarray, brain: np.ndarray, template: Template) -> dict[str, float]:
    """Return how a normalised brain looks: quantiles, and the mean of each tissue, which differ between sequences.

    Args:
        image: (I, J, K) on the scale of a pack, on the template's grid.
        brain: (I, J, K) bool.
        template: on the same grid.
    """
    image = intensity_scale.seen(image)
    inside = image[brain > 0]
    found = {f"normalised_p{q}": float(value) for q, value in zip(QUANTILES, np.percentile(inside, QUANTILES), strict=True)}
    if template.white is None or template.grey is None:
        return found
    tissues = {"white": template.white.array, "grey": template.grey.array}
    rest = 1 - template.white.array - template.grey.array
    fluid = np.where(template.brain.array > 0, rest, 0)
    for name, probability in {**tissues, "fluid": fluid}.items():
        there = (probability >= CERTAIN) & (brain > 0)
        if there.any():
            found[f"mean_{name}"] = float(image[there].mean())
    if {"mean_white", "mean_grey"} <= found.keys():
        found["white_minus_grey"] = found["mean_white"] - found["mean_grey"]
    return found


def raw_measures(row: Mapping[str, str]) -> dict[str, float]:
    """Return the measures of a preprocessed image that have a usual range."""
    found = {key: float(row[key]) for key in RAW if row.get(key)}
    if found.get("intensity_p50", 0) > 0 and "intensity_p99" in found:
        found["intensity_p99_over_p50"] = found["intensity_p99"] / found["intensity_p50"]
    return found


def voxel_sides(grid: Volume) -> dict[str, float]:
    """Return the smallest and largest edge of the voxels of an image file, mm."""
    return {"finest_mm": min(grid.spacing_mm), "coarsest_mm": max(grid.spacing_mm)}


def _voxels(row: Mapping[str, str]) -> dict[str, float]:
    try:
        header = check_header(row["path"], int(row["frame"]) if row.get("frame") else None)
    except (SubjectError, UserError):  # the file may be gone; the measures remain
        return {}
    return voxel_sides(Volume(np.broadcast_to(np.uint8(0), header.shape[:3]), np.asarray(header.affine, dtype=float)))


def _add(collected: dict[str, list[float]], found: Mapping[str, float]) -> None:
    for key, value in found.items():
        collected.setdefault(key, []).append(value)
