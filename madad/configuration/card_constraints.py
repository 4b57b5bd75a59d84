"""Which parameters of a card must agree: its `constraints`, told before anything is built.

`divides: [a, b]`, `at_most: [a, b]` (a number or every one of a list), `rising: a` and `evenly_spaced: [a, b]`, a of b noise
levels; b may be a training option, as in `at_most: [a, training.steps]`.
"""

from __future__ import annotations

from collections.abc import Iterator


def disagreements(name: str, constraints: list[dict], settings: dict) -> Iterator[str]:
    """One line for every constraint that complete settings break.

    Args:
        name: the method, for the lines.
        constraints: of its card.
        settings: parameters, and training options as `training.KEY`.
    """
    for kind, first, second in map(_parsed, constraints):
        value, other, where = settings[first], settings.get(second), f"{name}.parameters.{first}"
        if kind == "divides" and other % value:
            yield f"{where}: {value} does not divide {second} = {other}"
        elif kind == "at_most" and max(value if isinstance(value, list) else [value]) > other:
            yield f"{where}: {value} goes beyond {second} = {other}"
        elif kind == "rising" and sorted(value) != value:
            yield f"{where}: {value} falls; give the smaller number first"
        elif kind == "evenly_spaced" and value not in strides(other):
            yield f"{where}: {unevenly_spaced(value, other)}"


def fitting(constraints: list[dict], settings: dict, free: set[str]) -> dict:
    """Settings of which the free ones are lowered to what the others allow: the largest number that keeps the constraints."""
    settings = dict(settings)
    for kind, first, second in map(_parsed, constraints):
        value, other = settings[first], settings.get(second)
        if first in free and kind == "at_most":
            settings[first] = [min(one, other) for one in value] if isinstance(value, list) else min(value, other)
        elif first in free and kind == "evenly_spaced" and value not in strides(other):
            settings[first] = max(strides(other), default=value)
    return settings


def _parsed(constraint: dict) -> tuple[str, str, str]:
    """Kind, first and second key; no second one is an empty text."""
    ((kind, keys),) = constraint.items()
    return (kind, *keys) if isinstance(keys, list) else (kind, keys, "")


def strides(levels: int) -> dict[int, int]:
    """The smallest stride by the number of levels that it visits, from the first on."""
    return {len(range(0, levels, stride)): stride for stride in range(levels - 1, 0, -1)}


def unevenly_spaced(steps: int, levels: int) -> str:
    """What to say where no stride visits so many of the levels."""
    possible = ", ".join(map(str, sorted(strides(levels), reverse=True)))
    return f"{steps} of {levels} noise levels cannot be evenly spaced; {possible} can"
