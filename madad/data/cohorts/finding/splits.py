"""Assignment of subjects to splits: seeded, stratified by age and sex, all images of a subject in one split."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from madad.core import logs
from madad.core.errors import UserError
from madad.core.io.manifest import SPLITS
from madad.core.seeds import seed_from


@dataclass(frozen=True)
class Person:
    """The facts that decide a subject's split. `group` is "healthy" or "patient"; age (years), sex and kind may be empty."""

    subject: str
    group: str
    age: str = ""
    sex: str = ""
    lesion_kind: str = ""


def assign(
    people: Sequence[Person],
    split: Mapping[str, float],
    patient_split: Mapping[str, float],
    seed: int,
    validation_patients: Collection[str] = (),
) -> dict[str, str]:
    """Assign each subject to one split.

    Healthy subjects are split into train, validation and test, patients into validation and test. Sizes follow the fractions by
    largest remainder; every stratum (lesion kind, then age tercile and sex, as far as known) is divided in proportion.

    Args:
        people: the subjects, in any order.
        split: fractions of the healthy subjects, which sum to 1.
        patient_split: fractions of the patients, which sum to 1.
        seed: another seed gives another assignment.
        validation_patients: if not empty, these are the validation patients and all others are test patients.

    Returns:
        split by subject.

    Raises:
        UserError: fractions that are negative or do not sum to 1, or an unknown split.
    """
    chosen: dict[str, str] = {}
    for group, key, fractions in (("healthy", "split", split), ("patient", "patient_split", patient_split)):
        members = [person for person in people if person.group == group]
        _check_fractions(key, fractions, ("validation", "test") if group == "patient" else SPLITS)
        if group == "patient" and validation_patients:
            chosen.update({p.subject: "validation" if p.subject in validation_patients else "test" for p in members})
        elif members:
            counts = largest_remainder(len(members), fractions)
            _warn_of_empty(group, key, len(members), fractions, counts)
            chosen.update(zip(_dealing_order(members, seed), _deal(counts), strict=True))
    return chosen


def largest_remainder(total: int, fractions: Mapping[str, float]) -> dict[str, int]:
    """Return whole numbers that sum to `total`, nearest to the fractions (Hamilton's method); ties go to the earlier name."""
    quotas = {name: total * fraction for name, fraction in fractions.items()}
    counts = {name: int(np.floor(quota + 1e-9)) for name, quota in quotas.items()}
    by_remainder = sorted(quotas, key=lambda name: -round(quotas[name] - counts[name], 9))
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def _deal(counts: Mapping[str, int]) -> list[str]:
    """Return a sequence in which each name occurs as often as counted, spread as evenly as possible."""
    total, dealt = sum(counts.values()), dict.fromkeys(counts, 0)
    sequence = []
    for position in range(1, total + 1):
        owed = {name: counts[name] * position / total - dealt[name] for name in counts if dealt[name] < counts[name]}
        name = max(owed, key=lambda key: round(owed[key], 9))
        dealt[name] += 1
        sequence.append(name)
    return sequence


def _dealing_order(people: Sequence[Person], seed: int) -> list[str]:
    """Return the subjects stratum by stratum, in an order that depends only on the seed and the names."""
    borders = np.quantile([float(p.age) for p in people if p.age] or [0.0], [1 / 3, 2 / 3])

    def stratum(person: Person) -> str:
        tercile = str(int(np.searchsorted(borders, float(person.age), side="left"))) if person.age else ""
        return f"{tercile}{person.sex}"

    def position(person: Person) -> tuple[int, int, int]:
        kind, own = person.lesion_kind, stratum(person)
        return seed_from(seed, "kind", kind), seed_from(seed, "stratum", own), seed_from(seed, "split", person.subject)

    return [person.subject for person in sorted(people, key=position)]


def _check_fractions(key: str, fractions: Mapping[str, float], allowed: Sequence[str]) -> None:
    unknown = set(fractions) - set(allowed)
    if unknown:
        raise UserError(f"{key}: no split has the name {', '.join(sorted(unknown))}; allowed are {', '.join(allowed)}")
    if min(fractions.values(), default=0) < 0 or abs(sum(fractions.values()) - 1) > 1e-6:
        raise UserError(f"{key}: the fractions {dict(fractions)} must not be negative and must sum to 1")


def _warn_of_empty(group: str, key: str, total: int, fractions: Mapping[str, float], counts: Mapping[str, int]) -> None:
    for name, count in counts.items():
        if fractions[name] > 0 and count == 0:
            logs.warn(
                f"{key}.{name} of this cohort: {fractions[name]:g} of {total} {group} subject(s) leaves none for {name}; "
                "raise the fraction or add some"
            )
