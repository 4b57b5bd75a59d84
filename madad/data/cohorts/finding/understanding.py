"""How the cohorts of a configuration are understood, before anything is computed from them."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from madad.configuration import cards, cohort_cards, experiments, sequences, settings
from madad.configuration.schema import Options
from madad.core.errors import UserError
from madad.data.cohorts.finding import summary
from madad.data.cohorts.finding.groups import HEALTHY, PATIENT, UNKNOWN, UNLABELLED
from madad.data.cohorts.finding.manifest_rows import read
from madad.data.cohorts.finding.reading import Depth, Reading
from madad.data.cohorts.finding.summary import Facts

Understood = dict[str, Facts | str | UserError]


class Needs(NamedTuple):
    """What a run needs to know.

    Attributes:
        healthy: cohorts with subjects who must be known to be healthy.
        anybody: cohorts with subjects whose group must be known.
    """

    healthy: Collection[str]
    anybody: Collection[str]


def read_cohort(kind: str, root: Path, options: dict[str, Any], modalities: list[str], depth: Depth = "all") -> Reading:
    """Read a cohort of any kind; see `manifest_rows.read`."""
    return read(import_module(f"madad.data.cohorts.{kind}").find, root, options, modalities, depth)


def understand(config: Options, depth: Depth) -> Understood:
    """Return what is understood of every cohort in use, a sentence for one that does not exist yet, or why it cannot be read.

    Args:
        config: from `madad.configuration.settings.resolve`.
        depth: how closely files are looked at.
    """
    return {name: _one(config["cohorts"][name], sequences.of(config, name), depth) for name in settings.used_cohorts(config)}


def lines(understood: Understood) -> list[str]:
    """Return the summaries of all cohorts."""
    told = []
    for name, found in understood.items():
        told += summary.lines(name, found) if isinstance(found, dict) else [f"cohort {name}: {found}"]
    return told


def needs(config: Options) -> Needs:
    """Return what a whole run needs to know about its cohorts.

    Args:
        config: from `madad.configuration.settings.resolve`.
    """
    learning = any(learns(entry["base"]) for entry in experiments.entries(config).values())
    implanted = {settings.cohort_of(test) for test in config["test_on"] if settings.IMPLANTED in test}
    tested = {settings.cohort_of(test) for test in config["test_on"]}
    return Needs(implanted | set(config["train_on"] if learning else ()), tested)


def learns(base: str) -> bool:
    """Return whether a method is trained on healthy subjects, or fitted on them.

    Args:
        base: card of the method.
    """
    able = cards.load(base)["capabilities"]
    return bool(able["trains"] or able["fits"])


def check(understood: Understood, needed: Needs) -> None:
    """Refuse a run whose cohorts cannot be read, or lack healthy subjects: nobody is taken for healthy without evidence.

    Args:
        understood: from `understand`.
        needed: what the run needs.

    Raises:
        UserError: one list of the cohorts that cannot be read, or of those that lack healthy subjects, with everybody whose
            group is unknown.
    """
    if errors := [str(found) for found in understood.values() if isinstance(found, UserError)]:
        raise UserError("\n".join(errors))
    read_ones = {name: found for name, found in understood.items() if isinstance(found, dict)}
    lacking = [name for name, found in read_ones.items() if _lacks(name, found, needed)]
    if not lacking:
        return
    told = [summary.unknown_line(name, found) for name, found in read_ones.items() if found["groups"][UNKNOWN]]
    told += [
        f"{name} has {len(read_ones[name]['groups'][PATIENT])} patients and nobody who is known to be healthy; choose another "
        "cohort for train_on, or correct the group of its subjects"
        for name in lacking
        if not read_ones[name]["groups"][UNKNOWN]
    ]
    raise UserError(
        f"the run needs subjects of {', '.join(lacking)} whose group is known:\n"
        + "\n".join(f"  - {line}" for line in told)
        + "\n`madad cohort` shows how the data are understood."
    )


def _lacks(name: str, found: Facts, needed: Needs) -> bool:
    used = found["asked"] == UNLABELLED or any(people for group, people in found["groups"].items() if group != UNKNOWN)
    return (name in needed.healthy and not found["groups"][HEALTHY]) or (name in needed.anybody and not used)


def _one(cohort: Options, modalities: list[str], depth: Depth) -> Facts | str | UserError:
    if made := cohort_cards.made_subjects(cohort):
        return f"{cohort['kind']}, made by the run: {made[0]} healthy and {made[1]} with lesions"
    if cohort["download"]:
        return f"{cohort['kind']}, downloaded by the run"
    root = Path(cohort["root"])
    try:
        reading = read_cohort(cohort["kind"], root, cohort, modalities, depth)
    except UserError as error:
        return error
    return summary.facts(reading, root, cohort["kind"], cohort["group"])
