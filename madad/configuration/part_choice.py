"""Which methods, and of which seed, can be the part of another: an entry of a card's `requires`, as the configuration fills it.

An entry names a `default`, and with `others` further components; `others: any` lets every method of the project be the part, and
`capabilities` those that have them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from madad.configuration import cards
from madad.configuration.schema import Options, unknown

ANY = "any"


def known() -> list[str]:
    """Return every name that a method, a component or maps made elsewhere have."""
    return [*cards.names(), *cards.components(), *cards.elsewhere()]


def suits(base: str, need: Options) -> bool:
    """Return whether a method or component can be the part that an entry of `requires` describes."""
    if base not in known():
        return True  # reported as unknown
    if not need["capabilities"] and need.get("others") != ANY:
        return base in (need["default"], *need.get("others", []))
    return base in cards.names() and all(cards.load(base)["capabilities"][capability] for capability in need["capabilities"])


def in_words(need: Options, mark: str = "") -> str:
    """Return what can be the part, with names in marks such as backquotes."""
    if need["capabilities"]:
        return f"any method that {' and '.join(need['capabilities'])}"
    if need.get("others") == ANY:
        return "any method"
    return " or ".join(f"{mark}{name}{mark}" for name in (need["default"], *need.get("others", []))) + " or a variant"


def seed_problems(
    where: str, chosen: Mapping[str, int], parts: Collection[str], seeded: Collection[str], seeds: list[int]
) -> Iterator[str]:
    """Yield what is wrong with the seeds that a configuration gives to parts.

    Args:
        where: the key, for the lines.
        chosen: seed by role.
        parts: the roles that have a part.
        seeded: those of them whose part is trained once per seed.
        seeds: of the configuration.
    """
    for role, seed in chosen.items():
        if role not in parts:
            yield unknown(where, "role with a part", role, parts)
        elif role not in seeded:
            yield f"{where}.{role}: its part is the same for every seed; leave it out"
        elif seed not in seeds:
            yield f"{where}.{role}: {seed} is none of the seeds {', '.join(map(str, seeds))}; add it to seeds or name another"
