"""What the rules for maps that are made outside madad read, and what makes them run again."""

from __future__ import annotations

from pathlib import Path

from madad.configuration import cards, exchange_checks, settings
from madad.configuration.schema import Options
from madad.core.provenance import content_hash, fingerprint
from madad.workflow import parameters, preprocessing
from madad.workflow.paths import Run
from madad.workflow.plan import Plan

# Splits whose maps are collected.
MAPPED = ("validation", "test")


def native_tables(plan: Plan, method: str, testset: str) -> list[str]:
    """Return the tables that know the image files of a test set, for maps that lie in their spaces."""
    if _parameters(plan, method).get("space") != "native":
        return []
    return [preprocessing.selected_table(plan, settings.cohort_of(testset), split) for split in MAPPED]


def files(plan: Plan, run: Run) -> str:
    """Return a text that changes with the files that the maps come from: those of a folder, or a container's."""
    own = _parameters(plan, run["method"])
    folder = exchange_checks.fixed_part(own.get("folder", ""))
    maps = parameters.listing(str(folder)) if folder and folder.is_dir() else ""
    container = own.get("container", "")
    return content_hash([maps, parameters.states([container]) if container and Path(container).is_file() else []])


def code(plan: Plan, method: str) -> str:
    """Return the fingerprint of the code that collects the maps of a method."""
    return fingerprint("madad.data.exchange.importing", cards.module(plan.entries[method]["base"]))


def _parameters(plan: Plan, method: str) -> Options:
    return next(iter(plan.entries[method]["options"].values()))["parameters"]
