"""What the rules that fetch and list a cohort read, and what makes them run again."""

from __future__ import annotations

from madad.configuration import sequences
from madad.core.provenance import fingerprint
from madad.workflow import parameters, paths
from madad.workflow.parameters import as_json
from madad.workflow.plan import Plan

# Options of a cohort that its manifest does not depend on.
OTHER_OPTIONS = {"pipeline", "shards", "skull_strip", "skull_strip_command", "dataset", "download", "mirror", "splits"}
# Processes that build phantoms side by side; any other data set is only read.
PHANTOM_THREADS = 16


def inputs(plan: Plan, cohort: str) -> list[str]:
    """Return what must exist before a cohort is listed: the record of its download, where it is downloaded."""
    return [paths.download_record(cohort)] if plan.config["cohorts"][cohort]["download"] else []


def options(plan: Plan, cohort: str) -> str:
    """Return the options of a cohort that decide its manifest."""
    return as_json({key: value for key, value in plan.config["cohorts"][cohort].items() if key not in OTHER_OPTIONS})


def modalities(plan: Plan, cohort: str) -> str:
    """Return the sequences of a cohort that are listed."""
    return as_json(sequences.of(plan.config, cohort))


def listing(plan: Plan, cohort: str) -> str:
    """Return a text that changes when an image, a mask or a table of the cohort is added, replaced or removed."""
    found = plan.config["cohorts"][cohort]
    return parameters.listing(found["root"]) if found.get("root") and not found["download"] else "made here"


def code(plan: Plan, cohort: str) -> str:
    """Return the fingerprint of the code that finds and reads images of the cohort's kind; code of other kinds is left out."""
    kind = plan.config["cohorts"][cohort]["kind"]
    finders = ["madad.data.cohorts.phantom", "madad.data.cohorts.bids"] if kind == "phantom" else [f"madad.data.cohorts.{kind}"]
    return fingerprint("madad.data.cohorts.finding.manifest_rows", *finders)


def threads(plan: Plan, cohort: str) -> int:
    """Return the number of processes that list a cohort."""
    return PHANTOM_THREADS if plan.config["cohorts"][cohort]["kind"] == "phantom" else 1


def download_options(plan: Plan, cohort: str) -> str:
    """Return where the data of a cohort come from, and which sequences of them are needed."""
    found = plan.config["cohorts"][cohort]
    return as_json({"kind": found["kind"], "mirror": found["mirror"], "modalities": sequences.of(plan.config, cohort)})
