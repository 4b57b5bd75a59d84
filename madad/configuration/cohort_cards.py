"""Cards of the kinds of cohorts: what a data set is, how to obtain it, and which options it sets. Read without its code.

A card is the file `madad/data/cohorts/<kind>.yaml` beside the code that finds the data set's images.

    title, about, licence, access   what it is, its licence, and who provides it
    where, tree                     what to download and unpack, and the folders that result
    subject                         the part of an image's path that names its subject, to count them by
    options                         options of a cohort of this kind, unless the configuration sets them
    modalities                      sequences it has, by BIDS suffix; T1ce is a T1w image after contrast agent
    made                            true: the run makes its images itself, and no data are needed
    subjects                        of images that come with madad: the numbers `healthy` and `patients`
    published                       the split of the papers: `patients`, numbers per split, or `validation_patients`, by name
    download                        `address`, `files` and number of `subjects` of a data set that needs no registration
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from madad.core import yaml_text
from madad.core.errors import UserError, did_you_mean

FOLDER = Path(__file__).parents[1] / "data" / "cohorts"
ADDRESSES = ("https://", "http://")
ALWAYS = ("title", "about", "licence", "access")
# BIDS names its subjects and sequences itself, as do images that the run makes.
OF_A_DATA_SET = ("where", "tree", "modalities", "subject")


@lru_cache(maxsize=1)
def kinds() -> tuple[str, ...]:
    """Return every kind of cohort that has a card, in alphabetical order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


@lru_cache
def card(kind: str) -> dict[str, Any]:
    """Return the card of a kind; empty if there is no such kind.

    Raises:
        UserError: the card lacks keys that every card of its kind needs.
    """
    path = FOLDER / f"{kind}.yaml"
    if not path.exists():
        return {}
    facts = yaml_text.load(path.read_text(encoding="utf-8")) or {}
    needed = ALWAYS if kind == "bids" or facts.get("made") else (*ALWAYS, *OF_A_DATA_SET)
    if missing := [key for key in needed if not facts.get(key)]:
        raise UserError(f"{path}: {', '.join(missing)} missing; madad/configuration/cohort_cards.py explains the keys of a card")
    return facts


def defaults(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the options that a kind sets.

    Args:
        kind: of cohort.
        given: options of the cohort in the configuration; the published split is included unless they set
            `splits: random` or a split of the patients.
    """
    own_split = "patient_split" in given or "validation_patients" in given
    chosen = given.get("splits", "random" if own_split else "published") == "published"
    return {**card(kind).get("options", {}), **(published(kind) if chosen else {})}


def published(kind: str) -> dict[str, Any]:
    """Return the published split of a kind as options of a cohort; empty if there is none."""
    split = card(kind).get("published", {})
    numbers = split.get("patients")
    if not numbers:
        return dict(split)
    return {"patient_split": {name: number / sum(numbers.values()) for name, number in numbers.items()}}


def made_subjects(cohort: dict[str, Any]) -> tuple[int, int] | None:
    """Return the numbers of healthy subjects and of patients that the run makes for a cohort; None where it reads data."""
    facts = card(cohort["kind"])
    if not facts.get("made"):
        return None
    numbers = facts.get("subjects", cohort)
    return numbers["healthy"], numbers["patients"]


def directions(kind: str) -> str:
    """Return how to obtain a data set of this kind, in indented lines; empty for data that need no root."""
    facts = card(kind)
    if "tree" not in facts:
        return ""
    head = f"{facts['title']}. Licence: {facts['licence']}. {facts['access']}"
    text = f"{head}\n{facts['where']}The folder then looks like this:\n{facts['tree']}"
    return textwrap.indent(text.rstrip(), "    ")


def unknown_kinds(cohorts: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield one sentence for every cohort of a kind that does not exist."""
    for name, cohort in cohorts.items():
        if cohort["kind"] not in kinds():
            close = did_you_mean(cohort["kind"], kinds()) or f"; known: {', '.join(kinds())}"
            yield f"cohorts.{name}.kind: no kind of cohort is called '{cohort['kind']}'{close}"


def problems(where: str, cohort: dict[str, Any]) -> Iterator[str]:
    """Yield the problems of the complete options of a cohort, one sentence each.

    Args:
        where: the cohort's key, for the messages.
        cohort: its options.
    """
    kind = cohort["kind"]
    facts = card(kind)
    if facts.get("made"):
        yield from _made_problems(where, cohort)
        return
    if cohort["download"]:
        yield from _download_problems(where, cohort)
    elif not cohort.get("root"):
        article = "the BIDS data set" if kind == "bids" else "the data set"
        yield _with_directions(f"{where}.root: missing; give the folder of {article}", kind)
    elif not Path(cohort["root"]).is_dir():
        yield _with_directions(f"{where}.root: there is no folder '{cohort['root']}'; correct the path or mount the disk", kind)
    if cohort.get("mirror") and not cohort["download"]:
        yield f"{where}.mirror: nothing is downloaded; add download: true, or leave the mirror out"
    if cohort["variant"] and "variant" not in facts.get("options", {}):
        yield f"{where}.variant: {facts['title']} comes in one variant; leave it out"


def _made_problems(where: str, cohort: dict[str, Any]) -> Iterator[str]:
    for key in ("root", "download", "mirror"):
        if cohort.get(key):
            yield f"{where}.{key}: {cohort['kind']} images are made in results/cohorts and need no data; leave it out"
    if cohort["dataset"]:
        yield f"{where}.dataset: a {cohort['kind']} cohort is not {cohort['dataset']}; leave it out"


def _download_problems(where: str, cohort: dict[str, Any]) -> Iterator[str]:
    kind = cohort["kind"]
    if "download" not in card(kind):
        able = ", ".join(name for name in kinds() if "download" in card(name))
        yield _with_directions(f"{where}.download: {kind} cannot be downloaded by a program ({able} can); set a root", kind)
    if cohort.get("root"):
        yield f"{where}.root: with download: true the data are stored in results/downloads; leave out one of the two"
    if cohort.get("mirror") and not cohort["mirror"].startswith(ADDRESSES):
        yield f"{where}.mirror: '{cohort['mirror']}' does not start with {' or '.join(ADDRESSES)}; for a folder set root"


def _with_directions(sentence: str, kind: str) -> str:
    steps = directions(kind) if kind != "bids" else ""
    return f"{sentence}\n{steps}" if steps else sentence
