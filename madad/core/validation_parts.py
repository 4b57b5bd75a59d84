"""Which healthy validation subjects choose what: the checkpoint of a training, thresholds, the conformal calibration.

What was chosen on a scan looks better on it than on others, so that the three never share one. The part of a subject depends on
its name alone: it is the same in every pack of a cohort, for a training and for an evaluation. Where a part would be too small
none is made, and all three use all subjects; the evaluation records it, and tables say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from madad.core.seeds import seed_from

Part = Literal["checkpoint", "thresholds", "calibration"]
# The fewest subjects of each part; calibration for 90 % needs nine, and takes half of the subjects.
FEWEST: dict[Part, int] = {"checkpoint": 3, "thresholds": 3, "calibration": 9}
_QUARTERS: tuple[Part, ...] = ("checkpoint", "thresholds", "calibration", "calibration")


def part_of(subject: str) -> Part:
    """Return the part of a healthy validation subject."""
    return _QUARTERS[seed_from("validation part", subject) % len(_QUARTERS)]


def disjoint_parts(subjects: Iterable[str]) -> dict[Part, set[str]] | None:
    """Return the subjects of every part; None where there are too few."""
    parts: dict[Part, set[str]] = {part: set() for part in FEWEST}
    for subject in subjects:
        parts[part_of(subject)].add(subject)
    return parts if all(len(parts[part]) >= fewest for part, fewest in FEWEST.items()) else None


def chosen_for(part: Part, subjects: Iterable[str]) -> set[str]:
    """Return the subjects that serve one purpose: those of its part, or all where there are too few."""
    every = set(subjects)
    parts = disjoint_parts(every)
    return every if parts is None else parts[part]
