"""Is a scan like those that a model has seen? What is far off is flagged; what cannot be right is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

# Fewer training images than this have no range.
FEWEST = 3
# A value this many spreads from the median of the training images is flagged.
FLAGGED = 6.0
# Least spread of a measure: few training images, or very equal ones, must not make every other image strange.
LEAST_SPREAD = {
    "brain_volume_ml": 150.0,
    "registration_nmi": 0.015,
    "template_dice": 0.02,
    "coarsest_mm": 0.5,
    "finest_mm": 0.25,
    "intensity_p99_over_p50": 0.15,
}
LEAST_SPREAD_NORMALISED = 0.04
# Raw intensities have no unit: they are compared as ratios, and only a factor beyond this is far off.
FAR_RATIO = 20.0
RAW = "intensity_p"
# An overlap with the template so much lower than the lowest of the training images means a failed registration.
LOST_DICE = 0.12
# White against grey matter by this much on the other side, or fluid brighter by this much: another sequence.
OTHER_CONTRAST, OTHER_FLUID = 0.05, 0.5

MEANINGS = {
    "brain_volume_ml": "brain volume (ml)",
    "registration_nmi": "similarity to the template",
    "template_dice": "overlap with the template's brain",
    "coarsest_mm": "coarsest voxel side (mm)",
    "finest_mm": "finest voxel side (mm)",
    "intensity_p99_over_p50": "brightest over median intensity",
    "mean_white": "mean of white matter",
    "mean_grey": "mean of grey matter",
    "mean_fluid": "mean of fluid",
    "white_minus_grey": "white minus grey matter",
}


class Verdict(NamedTuple):
    """What is strange about a scan, one sentence each.

    Attributes:
        refusals: reasons not to trust anything that the model says of it.
        flags: reasons to look twice.
    """

    refusals: list[str]
    flags: list[str]


def judge(found: Mapping[str, float], seen: Mapping[str, Mapping[str, float]]) -> Verdict:
    """Compare the measures of a scan with those of the training images.

    Args:
        found: from `madad.detection.seen_images` (`raw_measures`, `look`, `voxel_sides`).
        seen: the key `seen` of a model file.
    """
    known = {key: seen[key] for key in found if key in seen and seen[key]["n"] >= FEWEST and math.isfinite(found[key])}
    refusals = [sentence for sentence in (_registration(found, known), _sequence(found, known)) if sentence]
    flags = [sentence for key in known if (sentence := _far(key, found[key], known[key]))]
    return Verdict(refusals, flags)


def _registration(found: Mapping[str, float], known: Mapping[str, Any]) -> str:
    key = "template_dice"
    if key not in known or found[key] >= known[key]["min"] - LOST_DICE:
        return ""
    usual = _range(known[key])
    return f"the registration failed: its brain overlaps with the template by {found[key]:.2f}, the training images by {usual}"


def _sequence(found: Mapping[str, float], known: Mapping[str, Any]) -> str:
    key = "white_minus_grey"
    if key in known:
        usual, here = known[key], found[key]
        beyond = here < usual["min"] - OTHER_CONTRAST if usual["median"] > 0 else here > usual["max"] + OTHER_CONTRAST
        if beyond and here * usual["median"] < 0:
            return (
                f"it looks like another sequence: white minus grey matter is {here:+.2f}, in the training images {_range(usual)}"
            )
    key = "mean_fluid"
    if key in known and abs(found[key] - known[key]["median"]) > OTHER_FLUID:
        return f"it looks like another sequence: fluid is {found[key]:.2f}, in the training images {_range(known[key])}"
    return ""


def _far(key: str, here: float, usual: Mapping[str, float]) -> str:
    name = MEANINGS.get(key, key.replace("_", " "))
    if key.startswith(RAW) and key not in MEANINGS:
        if key != f"{RAW}50" or here <= 0 or usual["median"] <= 0:
            return ""  # the median stands for all of them
        ratio = max(here / usual["median"], usual["median"] / here)
        return (
            f"raw intensities are {ratio:.0f} times those of the training images, or a part of them" if ratio > FAR_RATIO else ""
        )
    spread = max(1.4826 * usual["mad"], (usual["max"] - usual["min"]) / 4, LEAST_SPREAD.get(key, LEAST_SPREAD_NORMALISED))
    if abs(here - usual["median"]) <= FLAGGED * spread:
        return ""
    return f"{name} is {here:.4g}, in the training images {_range(usual)}"


def _range(usual: Mapping[str, float]) -> str:
    return f"{usual['min']:.4g} to {usual['max']:.4g}"
