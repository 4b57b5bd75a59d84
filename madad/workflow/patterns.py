"""Patterns that the wildcards of rules must match."""

from __future__ import annotations

from collections.abc import Iterable

from madad.core.io.manifest import SPLITS
from madad.workflow.plan import Plan

# A pattern that matches no name.
NOTHING = "(?!)"


def wildcards(plan: Plan) -> dict[str, str]:
    """Return the pattern of every wildcard that several rules use."""
    return {
        "cohort": _any_of(plan.cohorts),
        "testset": _any_of(plan.config["test_on"]),
        "modality": _any_of(plan.config["modalities"]),
        "method": _any_of(plan.entries),
        "pipeline": _any_of(plan.config["pipelines"]),
        "split": _any_of(SPLITS),
        "seed": r"\d+",
        "shard": r"\d+",
        "shards": r"\d+",
        "protocol": r"\w+",
    }


def trained(plan: Plan) -> str:
    """Return the pattern of the methods and parts that are trained."""
    made = set(plan.elsewhere)
    return _any_of(name for name, entry in plan.entries.items() if not entry["weights_from"] and name not in made)


def elsewhere(plan: Plan) -> str:
    """Return the pattern of the methods whose maps are made outside madad."""
    return _any_of(plan.elsewhere)


def reused(plan: Plan) -> str:
    """Return the pattern of the methods that reuse the weights of another method instead of being trained."""
    return _any_of(name for name, entry in plan.entries.items() if entry["weights_from"])


def _any_of(names: Iterable[str]) -> str:
    return "|".join(names) or NOTHING
