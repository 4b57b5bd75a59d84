"""The manifest: one row per image. Later stages know nothing else about a cohort."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from madad.core.errors import UserError
from madad.core.provenance import complete
from madad.core.workflow_files import FOLDER

SPLITS = ("train", "validation", "test")
# Instead of a split: subjects of unknown group, who take no part.
NO_SPLIT = "none"
COLUMNS = (
    "subject",
    "session",
    "split",
    "group",
    "modality",
    "path",
    "brain_mask",
    "lesion_mask",
    "frame",
    "lesion_labels",
    "site",
    "age",
    "sex",
    "lesion_kind",
    "evidence",
)
SCHEMA = FOLDER / "schemas" / "manifest.schema.json"

Row = dict[str, str]


def write_table(path: str | Path, rows: Iterable[Row], columns: Sequence[str]) -> None:
    """Write rows as a tab-separated file with the given columns; missing values stay empty."""
    with complete(path) as partial, open(partial, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, delimiter="\t", restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_table(path: str | Path) -> list[Row]:
    """Read a tab-separated file; every value is text, so that "012" stays "012".

    Raises:
        UserError: no such file, not a text file, or a row with another number of fields than the header.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t", restkey="", restval=None))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason}); save it again as UTF-8") from None
    except (OSError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a table ({error}); replace it by tab-separated text") from None
    for number, row in enumerate(rows, start=2):
        if "" in row or None in row.values():
            raise UserError(f"{path}, line {number}: the number of fields differs from the header; separate fields by tabs")
    return rows


def write_manifest(path: str | Path, rows: Sequence[Row]) -> None:
    """Write a manifest after checking it against `schemas/manifest.schema.json`."""
    check_manifest(path, rows)
    write_table(path, rows, COLUMNS)


def read_manifest(path: str | Path) -> list[Row]:
    """Read and check a manifest."""
    rows = read_table(path)
    check_manifest(path, rows)
    return rows


def check_manifest(path: str | Path, rows: Sequence[Row]) -> None:
    """Check every row against the schema, and that no image is listed twice and no subject is in two splits.

    Raises:
        UserError: there are problems; the message has one line per problem.
    """
    from jsonschema import Draft202012Validator  # other stages read tables that are no manifests

    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    problems = []
    for number, row in enumerate(rows, start=2):
        for error in validator.iter_errors(row):
            where = ".".join(str(part) for part in error.path) or "row"
            problems.append(f"{path}, line {number}, {where}: {error.message}")
    problems += _repeated(path, rows) + _split_twice(path, rows)
    if problems:
        raise UserError("\n".join(problems))


def image_name(row: Row) -> str:
    """Return the name of a row's subject and session: `sub-01` or `sub-01_ses-2`."""
    return f"{row['subject']}_{row['session']}" if row["session"] else row["subject"]


def _repeated(path: str | Path, rows: Sequence[Row]) -> list[str]:
    seen: set[tuple[str, str]] = set()
    problems = []
    for row in rows:
        key = (image_name(row), row["modality"])
        if key in seen:
            problems.append(f"{path}: {key[0]} has more than one {key[1]} image; keep one or give them different sessions")
        seen.add(key)
    return problems


def _split_twice(path: str | Path, rows: Sequence[Row]) -> list[str]:
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row["subject"], set()).add(row["split"])
    return [f"{path}: {subject} is in the splits {', '.join(sorted(s))}" for subject, s in splits.items() if len(s) > 1]
