"""Reading participants.tsv: what is known about the subjects of a BIDS data set, and nothing that is not written there."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from madad.core.errors import UserError, did_you_mean
from madad.core.io.file_types import ANNEX, LFS, WEB_PAGE, kind_of_file
from madad.core.io.manifest import Row
from madad.data.cohorts.finding.bids_table import Table, read_bids_table

NAME = "participants.tsv"
ID = "participant_id"
MISSING = {"", "n/a", "na", "nan", "none", "unknown", "-"}
HEALTHY = {
    *("healthy", "control", "controls", "hc", "cn", "nc", "normal", "volunteer", "healthy volunteer"),
    *("healthy control", "healthy_control", "healthy controls", "healthycontrol", "healthy subject"),
}
PATIENT = {"patient", "patients", "case", "cases"}
SEXES = {"f": "F", "female": "F", "w": "F", "woman": "F", "m": "M", "male": "M", "man": "M", "o": "O", "other": "O"}
# Columns that are used, with the names that they have unless the configuration gives others.
COLUMNS = {"age": ("age",), "sex": ("sex", "gender"), "site": ("site",), "group": ("group",), "lesion_kind": ("lesion_kind",)}


@dataclass
class Participants:
    """What the table says.

    Attributes:
        known: subject to age, sex (F, M, O or another word), site, group ("healthy", "patient" or empty) and lesion_kind, each
            empty when unknown.
        evidence: subject to the cell that its group comes from.
        notes: sentences about values that became unknown.
    """

    known: dict[str, Row] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_participants(root: Path, folders: Collection[str], options: Mapping) -> Participants:
    """Read the table of a data set's subjects, if there is one.

    Args:
        root: the data set's folder.
        folders: labels of the subjects that have a folder.
        options: columns (names of age, sex, site, group and lesion_kind in this table), healthy_values (words in the column
            of the group that mean healthy).

    Raises:
        UserError: the table cannot be understood: see `read_bids_table`; no column participant_id, or no column that the
            configuration names; a subject with several rows; ids without a folder while there are folders without an id.
    """
    path = root / NAME
    given = {key: name for key, name in (options.get("columns") or {}).items() if name}
    if not path.exists() and not path.is_symlink():
        if given or options.get("healthy_values"):
            raise UserError(
                f"{path}: no such file, but `columns` or `healthy_values` speak of it; leave them out or add the table"
            )
        return Participants()
    kind = kind_of_file(path)
    if kind in (ANNEX, LFS, WEB_PAGE):
        raise UserError(f"{path}: {kind.name}; {kind.remedy}")
    table = read_bids_table(path)
    columns = _columns(table, given)
    labels = [label(row[columns[ID]]) for row in table.rows]
    _check_labels(table, labels, folders)
    told = Participants()
    _read_groups(table, labels, columns.get("group"), options.get("healthy_values") or (), told)
    _read_covariates(table, labels, columns, told)
    return told


def label(participant: str) -> str:
    """Return the subject's label with its prefix: "07" and "sub-07" are the same subject."""
    participant = participant.strip()
    return participant if participant.startswith("sub-") else f"sub-{participant}"


def age_in_years(text: str) -> str:
    """Return a plain number of years ("45", "45.0", "045Y" and "89+" are understood), or empty."""
    match = re.fullmatch(r"0*(\d+(?:\.\d+)?)\s*[+yY]?", text)
    return match.group(1) if match else ""


def groups_of(values: Iterable[str], healthy_values: Collection[str] = ()) -> dict[str, str]:
    """Return the group that each value of a column means, empty where nothing says so.

    If the configuration or common use says of some value that it means healthy, every other one means patient. If no value
    means healthy, the column divides the subjects by something else, such as their age or treatment, and only plain words for
    patients are understood.

    Args:
        values: the cells of the column.
        healthy_values: words that mean healthy; if there are any, no others do.
    """
    found = {value: value.strip().lower() for value in values}
    healthy = {word.strip().lower() for word in healthy_values} or HEALTHY
    told = any(text in healthy for text in found.values())

    def meaning(text: str) -> str:
        if text in healthy:
            return "healthy"
        if text in MISSING:
            return ""
        return "patient" if told or text in PATIENT else ""

    return {value: meaning(text) for value, text in found.items()}


def _columns(table: Table, given: Mapping[str, str]) -> dict[str, str]:
    """Return the name in the table of every column that is used.

    Raises:
        UserError: a column that the configuration names does not exist, or the table has no ids.
    """
    by_name = {name.strip().lower(): name for name in table.columns}
    if ID not in by_name:
        raise UserError(f"{table.path}: there is no column participant_id; give the first column that name")
    chosen = {ID: by_name[ID]}
    for key, usual in COLUMNS.items():
        if key in given:
            name = by_name.get(given[key].strip().lower())
            if name is None:
                near = did_you_mean(given[key], table.columns) or f"; the columns are {', '.join(table.columns)}"
                raise UserError(f"columns: {key}: {table.path} has no column {given[key]}{near}")
            chosen[key] = name
        elif here := [by_name[name] for name in usual if name in by_name]:
            chosen[key] = here[0]
    return chosen


def _check_labels(table: Table, labels: Sequence[str], folders: Collection[str]) -> None:
    """Refuse rows that could be passed over or mixed up.

    Raises:
        UserError: a subject with several rows; or ids without a folder while there are folders without an id.
    """
    lines: dict[str, list[str]] = {}
    for one, number in zip(labels, table.lines, strict=True):
        lines.setdefault(one, []).append(str(number))
    twice = [f"{one} in the lines {', '.join(numbers)}" for one, numbers in lines.items() if len(numbers) > 1]
    if twice:
        raise UserError(f"{table.path}: several rows for one subject: {_some(twice)}; keep one row for each")
    homeless, unlisted = [one for one in lines if one not in folders], [one for one in sorted(folders) if one not in lines]
    if homeless and unlisted:
        pairs = [f"{one} (line {lines[one][0]}{_nearest(one, unlisted)})" for one in homeless]
        raise UserError(
            f"{table.path}: {len(homeless)} ids match no folder, while {len(unlisted)} folders ({_some(unlisted)}) have no row: "
            f"{_some(pairs)}; write the ids as the folders are called"
        )


def _nearest(one: str, unlisted: Sequence[str]) -> str:
    """Return the folder that an id most probably means: the same but for leading zeros, case and signs, or else similar."""
    same = [folder for folder in unlisted if _plain(folder) == _plain(one)]
    near = same or difflib.get_close_matches(one, unlisted, n=1)
    return f", nearest folder: {near[0]}" if near else ""


def _plain(text: str) -> str:
    words = re.findall(r"[a-z]+|\d+", text.lower().replace("sub", ""))
    return "".join(word.lstrip("0") or "0" if word.isdigit() else word for word in words)


def _read_groups(
    table: Table, labels: Sequence[str], column: str | None, healthy_values: Collection[str], told: Participants
) -> None:
    """Record the group of every subject, with the cell that says so."""
    if column is None:
        speaking = [name for name in table.columns if "healthy" in groups_of(row[name] for row in table.rows).values()]
        if healthy_values:
            raise UserError(f"healthy_values: {table.path} has no column group; name it by `columns: {{group: …}}`")
        if speaking:
            told.notes.append(
                f"{table.path} has no column group, but {speaking[0]} names healthy subjects; "
                f"`columns: {{group: {speaking[0]}}}` uses it"
            )
        return
    cells = [row[column].strip() for row in table.rows]
    meaning = groups_of(cells, healthy_values)
    words = sorted({cell for cell in cells if cell.lower() not in MISSING})
    if healthy_values and "healthy" not in meaning.values():
        raise UserError(
            f"healthy_values: none of {', '.join(healthy_values)} is in the column {column} of {table.path}: {_some(words)}"
        )
    unclear = [word for word in words if not meaning[word]]
    if unclear:
        told.notes.append(
            f"{table.path}: no value of the column {column} is known to mean healthy ({_some(unclear)}), so that the group of "
            "these subjects is unknown; `healthy_values: […]` says which do"
        )
    for one, cell in zip(labels, cells, strict=True):
        told.known[one] = {"group": meaning[cell]}
        if meaning[cell]:
            told.evidence[one] = f"{NAME}: {column} = {cell}"


def _read_covariates(table: Table, labels: Sequence[str], columns: Mapping[str, str], told: Participants) -> None:
    """Record age, sex, site and lesion kind; an age that cannot be understood is unknown, and noted."""
    readers = {"age": age_in_years, "sex": lambda text: SEXES.get(text.lower(), text), "site": str, "lesion_kind": str}
    lost: dict[str, Counter[str]] = {key: Counter() for key in readers}
    for one, row in zip(labels, table.rows, strict=True):
        person = told.known.setdefault(one, {"group": ""})
        for key, read in readers.items():
            cell = row[columns[key]].strip() if key in columns else ""
            cell = "" if cell.lower() in MISSING else cell
            person[key] = read(cell)
            if cell and not person[key]:
                lost[key][cell] += 1
    for key, values in lost.items():
        if values:
            told.notes.append(
                f"{table.path}: the {key} of {values.total()} subjects is unknown, because "
                f"{_some([repr(value) for value in values])} cannot be understood"
            )


def _some(words: Sequence[str], shown: int = 5) -> str:
    return ", ".join(words[:shown]) + (f" and {len(words) - shown} more" if len(words) > shown else "")
