"""What the rules that fetch and list a cohort read, and what makes them run again."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from madad.configuration import cohort_cards, sequences
from madad.configuration.deciding_keys import decides
from madad.core.provenance import fingerprint
from madad.data.cohorts.finding import contents, found_files
from madad.data.cohorts.finding.found_files import Found
from madad.workflow import parameters, paths
from madad.workflow.parameters import as_json
from madad.workflow.plan import Plan

# Processes that build phantoms side by side; any other data set is only read or unpacked.
PHANTOM_THREADS = 16
PHANTOMS_A_PROCESS = 20


def inputs(plan: Plan, cohort: str) -> list[str]:
    """Return what must exist before a cohort is listed: the record of its download, where it is downloaded."""
    return [paths.download_record(cohort)] if plan.config["cohorts"][cohort]["download"] else []


def options(plan: Plan, cohort: str) -> str:
    """Return the options of a cohort that decide its manifest."""
    return as_json({key: value for key, value in plan.config["cohorts"][cohort].items() if decides(f"cohorts.*.{key}", "cohort")})


def modalities(plan: Plan, cohort: str) -> str:
    """Return the sequences of a cohort that are listed."""
    return as_json(sequences.of(plan.config, cohort))


def reading(plan: Plan, cohort: str) -> str:
    """Return a text that changes with what decides the rows of a cohort's manifest, and with the bytes of the files in them.

    A file that lies in the folder and is not read does not change it, nor does another time of a file.
    """
    if not _root(plan, cohort):
        return contents.MADE_HERE
    return _text(plan.root + paths.cohort_folder(cohort), *_seen(plan, cohort))


def refresh(plan: Plan) -> None:
    """Record the times of images that were touched and hold the same bytes, so that the next run does not open them again."""
    for cohort in plan.cohorts:
        if _root(plan, cohort):
            contents.refresh(Path(plan.root + paths.cohort_folder(cohort)), _found(*_seen(plan, cohort)))


def newest(plan: Plan, cohort: str) -> list[str]:
    """Return the file of a cohort that changed last, among those that are read and the tables above them.

    As an input it makes its time count where nothing else does; a list of all files would flood the log.
    """
    if not _root(plan, cohort):
        return []
    files = _found(*_seen(plan, cohort)).files
    above = {folder for file in files for folder in Path(file).parents}
    return parameters.newest([*files, *(folder / name for folder in above for name in parameters.TABLES)])


def _root(plan: Plan, cohort: str) -> Path | None:
    """Return the folder that a cohort is read from; None where the run makes or downloads it."""
    found = plan.config["cohorts"][cohort]
    return Path(found["root"]) if found.get("root") and not found["download"] else None


def _seen(plan: Plan, cohort: str) -> tuple[str, str, str, str]:
    """Return what decides what a finder sees: kind, folder, options and sequences."""
    kind = plan.config["cohorts"][cohort]["kind"]
    return kind, str(_root(plan, cohort)), options(plan, cohort), modalities(plan, cohort)


# Both are asked for by many jobs, and answered once per process: files whose times changed are opened for the text.
@cache
def _found(kind: str, root: str, options: str, modalities: str) -> Found:
    return found_files.found(kind, Path(root), json.loads(options), json.loads(modalities))


@cache
def _text(folder: str, *seen: str) -> str:
    return contents.text(Path(folder), _found(*seen))


def code(plan: Plan, cohort: str) -> str:
    """Return the fingerprint of the code that finds and reads images of the cohort's kind; code of other kinds is left out."""
    kind = plan.config["cohorts"][cohort]["kind"]
    reader = ["madad.data.cohorts.bids"] if cohort_cards.card(kind).get("made") else []
    return fingerprint("madad.data.cohorts.finding.manifest_rows", f"madad.data.cohorts.{kind}", *reader)


def threads(plan: Plan, cohort: str) -> int:
    """Return the number of processes that list a cohort, or make it: a few phantoms do not wait until several cores are free."""
    options = plan.config["cohorts"][cohort]
    if options["kind"] != "phantom":
        return 1
    return min(PHANTOM_THREADS, 1 + (options["healthy"] + options["patients"]) // PHANTOMS_A_PROCESS)


def download_options(plan: Plan, cohort: str) -> str:
    """Return where the data of a cohort come from, and which sequences of them are needed."""
    found = plan.config["cohorts"][cohort]
    return as_json({"kind": found["kind"], "mirror": found["mirror"], "modalities": sequences.of(plan.config, cohort)})
