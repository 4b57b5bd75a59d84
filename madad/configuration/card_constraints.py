"""Which parameters of a card must agree: its `constraints`, checked before anything is built.

`divides: [a, b]`, `at_most: [a, b]` (a number or every one of a list), `rising: a` and `evenly_spaced: [a, b]`, a of b noise
levels; b may be a training option, as in `at_most: [a, training.steps]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# The kind of a constraint, with the keys that must agree.
Constraint = dict[str, str | list[str]]


def disagreements(name: str, constraints: list[Constraint], settings: dict[str, Any]) -> Iterator[str]:
    """Yield one line for every constraint that complete settings break.

    Args:
        name: the method, for the lines.
        constraints: those of its card.
        settings: parameters, and training options as `training.KEY`.
    """
    for kind, first, second in map(_parsed, constraints):
        value, other, where = settings[first], settings.get(second, 0), f"{name}.parameters.{first}"
        if kind == "divides" and other % value:
            yield f"{where}: {value} does not divide {second} = {other}"
        elif kind == "at_most" and max(value if isinstance(value, list) else [value]) > other:
            yield f"{where}: {value} goes beyond {second} = {other}"
        elif kind == "rising" and sorted(value) != value:
            yield f"{where}: {value} falls; give the smaller number first"
        elif kind == "evenly_spaced" and value not in strides(other):
            yield f"{where}: {unevenly_spaced(value, other)}"


def fitting(constraints: list[Constraint], settings: dict[str, Any], free: set[str]) -> dict[str, Any]:
    """Return settings with the free ones lowered to the largest number that the others allow."""
    settings = dict(settings)
    for kind, first, second in map(_parsed, constraints):
        value, other = settings[first], settings.get(second, 0)
        if first in free and kind == "at_most":
            settings[first] = [min(one, other) for one in value] if isinstance(value, list) else min(value, other)
        elif first in free and kind == "evenly_spaced" and value not in strides(other):
            settings[first] = max(strides(other), default=value)
    return settings


def _parsed(constraint: Constraint) -> tuple[str, str, str]:
    """Return kind, first and second key; without a second key its name is empty."""
    ((kind, keys),) = constraint.items()
    first, second = keys if isinstance(keys, list) else (keys, "")
    return kind, first, second


def strides(levels: int) -> dict[int, int]:
    """Return the smallest stride for every number of levels that a stride can visit, starting at the first."""
    return {len(range(0, levels, stride)): stride for stride in range(levels - 1, 0, -1)}


def unevenly_spaced(steps: int, levels: int) -> str:
    """Return the sentence for a number of levels that no stride visits."""
    possible = ", ".join(map(str, sorted(strides(levels), reverse=True)))
    return f"{steps} of {levels} noise levels cannot be evenly spaced; {possible} can"
