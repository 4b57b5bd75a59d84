"""What was understood of a cohort, in a few lines that a researcher can compare with what they know about the study."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from madad.core.io.bids_names import masked
from madad.core.io.manifest import SPLITS, Row, image_name
from madad.data.cohorts.finding.bids_files import UNCLEAR
from madad.data.cohorts.finding.groups import HEALTHY, PATIENT, UNKNOWN, UNLABELLED
from madad.data.cohorts.finding.reading import Reading

# Facts about a cohort as they are stored: plain values, which JSON can hold.
Facts = dict[str, Any]
GROUPS = (HEALTHY, PATIENT, UNKNOWN)
SHOWN = 5
# Width of the lines, and of the titles at their beginning.
WIDTH, TITLE = 130, 15


def facts(reading: Reading, root: Path, kind: str, asked: str) -> Facts:
    """Return what was understood of a cohort.

    Args:
        reading: from `manifest_rows.read`.
        root: the data set's folder.
        kind: of cohort.
        asked: option `group` of the cohort.
    """
    rows = reading.rows
    people = {row["subject"]: row for row in rows}
    marked = {image_name(row) for row in rows if row["lesion_mask"]}
    return {
        "root": str(root),
        "kind": kind,
        "asked": asked,
        "opened": reading.depth != "names",
        "groups": {name: sorted(s for s, row in people.items() if row["group"] == name) for name in GROUPS},
        "evidence": {
            name: _counts(_general(row["evidence"], root) for row in people.values() if row["group"] == name and row["evidence"])
            for name in GROUPS
        },
        "splits": {split: _counts(row["group"] for row in people.values() if row["split"] == split) for split in SPLITS},
        "sequences": _counts(row["modality"] for row in rows),
        "sessions": _counts(row["session"] for row in _each_session(rows)),
        "no_reference": sorted({image_name(row) for row in rows if row["group"] == PATIENT} - marked),
        "lesion_masks": _counts(masked(Path(row["lesion_mask"]), root) for row in rows if row["lesion_mask"]),
        "brain_masks": _counts(masked(Path(row["brain_mask"]), root) for row in rows if row["brain_mask"]),
        "left_out": _reasons(reading.excluded, root),
        "passed_over": _reasons(reading.passed, root),
        "unclear": _counts(masked(Path(row["path"]), root) for row in reading.passed if row["reason"] == UNCLEAR),
        "notes": reading.notes,
    }


def lines(name: str, found: Facts) -> list[str]:
    """Return the summary of a cohort, one line for each aspect.

    Args:
        name: of the cohort.
        found: from `facts`.
    """
    unopened = "" if found["opened"] else "; by names alone, no image has been opened"
    number = sum(map(len, found["groups"].values()))
    head = f"cohort {name}: {number} subjects in {found['root']} (kind {found['kind']}{unopened})"
    return [head, *(line for title, text in aspects(name, found) for line in _wrapped(title, text))]


def aspects(name: str, found: Facts) -> list[tuple[str, str]]:
    """Return the title and the text of every line of a cohort's summary.

    Args:
        name: of the cohort.
        found: from `facts`.
    """
    groups = found["groups"]
    told = [("subjects", _people({key: len(people) for key, people in groups.items()}))]
    for group, evidence in found["evidence"].items():
        told += [("evidence", f"{_people({group: count})}: {text}") for text, count in evidence.items()]
    for split, counts in found["splits"].items():
        told.append((split, _people(counts) or "nobody"))
    told.append(("images", _listed(found["sequences"])))
    if found["sessions"].keys() - {""}:
        told.append(("sessions", _listed({key or "without a label": count for key, count in found["sessions"].items()})))
    for key, title in (("lesion_masks", "lesion masks"), ("brain_masks", "brain masks")):
        told += [(title, f"{count} as {text}") for text, count in found[key].items()] or [(title, "none found")]
    told += [("left out", _reason(one)) for one in found["left_out"]]
    told += [("not used", _reason(one)) for one in found["passed_over"]]
    return told + [("note", note) for note in [*found["notes"], *warnings(name, found)]]


def warnings(name: str, found: Facts) -> list[str]:
    """Return what a researcher must know before the run: who is not used, and who cannot be scored by voxels."""
    unknown, bare = found["groups"][UNKNOWN], found["no_reference"]
    told = []
    if unknown and found["asked"] == UNLABELLED:
        told.append(f"{len(unknown)} subjects of unknown group get maps and scores; no metric that needs the truth counts them")
    elif unknown:
        told.append(f"{unknown_line(name, found)}; they are not used, neither for training nor as healthy controls")
    if bare:
        told.append(
            f"{len(bare)} scans of patients without a lesion mask ({some(bare)}) have no reference: they are scored by subject, "
            f"never by voxel; if there are masks, set cohorts.{name}.lesion_masks or cohorts.{name}.filters.lesion_mask"
        )
    return told


def unknown_line(name: str, found: Facts) -> str:
    """Return how many subjects of a cohort are of unknown group, which, and the line of configuration that settles it."""
    unknown, groups = found["groups"][UNKNOWN], found["groups"]
    number = sum(map(len, groups.values()))
    others = groups[PATIENT] or groups[HEALTHY]
    settled = f"cohorts.{name}.group: {'by_mask' if others else 'healthy'}"
    unclear = any("`healthy_values" in note for note in found["notes"])
    line = f"cohorts.{name}.healthy_values: [...]" if unclear else settled
    masks = "name the masks (lesion_masks)"
    if found["unclear"]:
        shown = some([f"{count} as {path}" for path, count in found["unclear"].items()], 2)
        masks = f"say with `cohorts.{name}.filters: {{lesion_mask: …}}` that files mark lesions whose names do not ({shown})"
    return (
        f"{len(unknown)} of {number} subjects of {name} are of unknown group, with no lesion mask and no group in a table "
        f"({some(unknown)}); if they are healthy, write `{line}`, else {masks} or add the column group to participants.tsv; "
        f"`cohorts.{name}.group: {UNLABELLED}` makes maps of them all the same"
    )


def some(names: Sequence[str], shown: int = SHOWN) -> str:
    """Return the first of some names, and how many more there are."""
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def _people(counts: Mapping[str, int]) -> str:
    """Return numbers of people by group: `3 healthy, 1 patient, 2 unknown`."""
    return _listed(
        {
            f"{group}s" if group == PATIENT and counts[group] > 1 else group: counts.get(group, 0)
            for group in GROUPS
            if group in counts
        }
    )


def _wrapped(title: str, text: str) -> list[str]:
    indent = " " * (TITLE + 1)
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"  {title:<{TITLE - 2}} ",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def _each_session(rows: Sequence[Row]) -> list[Row]:
    return list({(row["subject"], row["session"]): row for row in rows}.values())


def _general(text: str, root: Path) -> str:
    """Return a sentence about one subject as it reads for every other one."""
    return re.sub(r"(sub|ses)-[A-Za-z0-9]+", r"\1-*", text.replace(f"{root}/", ""))


def _reasons(rows: Sequence[Row], root: Path) -> list[Facts]:
    """Return the reasons in rows, the most frequent first, each with its number of rows and the subjects."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(_general(row["reason"], root), []).append(row["subject"])
    made = [{"reason": reason, "count": len(names), "subjects": sorted(set(names))} for reason, names in by_reason.items()]
    return sorted(made, key=lambda one: (-one["count"], one["reason"]))


def _reason(one: Facts) -> str:
    return f"{one['count']}: {one['reason']} ({some(one['subjects'], 3)})"
