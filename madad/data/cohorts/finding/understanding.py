"""How the cohorts of a configuration are understood, before anything is computed from them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from madad.configuration import sequences, settings
from madad.configuration.schema import Options
from madad.core.errors import UserError
from madad.data.cohorts.finding import summary
from madad.data.cohorts.finding.groups import HEALTHY, UNKNOWN
from madad.data.cohorts.finding.manifest_rows import read
from madad.data.cohorts.finding.reading import Depth, Reading
from madad.data.cohorts.finding.summary import Facts

Understood = dict[str, Facts | str | UserError]


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


def check(config: Options, understood: Understood) -> None:
    """Refuse a run whose cohorts cannot be read, or lack healthy subjects: nobody is taken for healthy without evidence.

    Args:
        config: from `madad.configuration.settings.resolve`.
        understood: from `understand`.

    Raises:
        UserError: one list of the cohorts that cannot be read, or of those that lack healthy subjects, with everybody whose
            group is unknown.
    """
    if errors := [str(found) for found in understood.values() if isinstance(found, UserError)]:
        raise UserError("\n".join(errors))
    read_ones = {name: found for name, found in understood.items() if isinstance(found, dict)}
    lacking = [name for name, found in read_ones.items() if _needs_more(name, found["groups"], config)]
    if not lacking:
        return
    told = [f"{summary.unknown_line(name, found)}" for name, found in read_ones.items() if found["groups"][UNKNOWN]]
    told += [
        f"{name} has {len(read_ones[name]['groups']['patient'])} patients and nobody who is known to be healthy; choose another "
        "cohort for train_on, or correct the group of its subjects"
        for name in lacking
        if not read_ones[name]["groups"][UNKNOWN]
    ]
    raise UserError(
        f"the run needs subjects of {', '.join(lacking)} whose group is known:\n"
        + "\n".join(f"  - {line}" for line in told)
        + "\n`madad cohort` shows how the data are understood."
    )


def _needs_more(name: str, groups: dict[str, list[str]], config: Options) -> bool:
    """Return whether a cohort must have healthy subjects and has none, or must have any known ones and has none."""
    implanted = any(settings.IMPLANTED in test and settings.cohort_of(test) == name for test in config["test_on"])
    if name in config["train_on"] or implanted:
        return not groups[HEALTHY]
    return not any(people for group, people in groups.items() if group != UNKNOWN)


def _one(cohort: Options, modalities: list[str], depth: Depth) -> Facts | str | UserError:
    if cohort["kind"] == "phantom":
        return f"{cohort['healthy']} healthy phantoms and {cohort['patients']} with lesions, made by the run"
    if cohort["download"]:
        return f"{cohort['kind']}, downloaded by the run"
    root = Path(cohort["root"])
    try:
        reading = read_cohort(cohort["kind"], root, cohort, modalities, depth)
    except UserError as error:
        return error
    return summary.facts(reading, root, cohort["kind"], cohort["group"])
