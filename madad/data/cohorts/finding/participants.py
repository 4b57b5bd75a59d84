"""Reading participants.tsv: what is known about the subjects of a BIDS data set."""

from __future__ import annotations

import re
from pathlib import Path

from madad.core import logs
from madad.core.errors import UserError
from madad.core.io.file_types import ANNEX, LFS, WEB_PAGE, kind_of_file
from madad.core.io.manifest import Row, read_table

MISSING = {"", "n/a", "na", "nan", "none", "unknown", "-"}
HEALTHY = {"healthy", "control", "controls", "hc", "cn", "nc", "normal", "healthy control", "healthy_control", "volunteer"}
SEXES = {"f": "F", "female": "F", "w": "F", "woman": "F", "m": "M", "male": "M", "man": "M", "o": "O", "other": "O"}


def read_participants(root: Path) -> tuple[dict[str, Row], dict[str, str]]:
    """Read the table of a data set's subjects, if there is one.

    Returns:
        known: subject label to age, sex, site, group ("healthy", "patient" or empty) and lesion_kind, each empty when unknown.
        conflicts: subject label to the reason why its rows cannot be used.

    Raises:
        UserError: the table has no column participant_id, or a row has another number of fields than the header.
    """
    path = root / "participants.tsv"
    if not path.exists() and not path.is_symlink():
        return {}, {}
    kind = kind_of_file(path)
    if kind in (ANNEX, LFS, WEB_PAGE):  # without the table patients would count as healthy
        raise UserError(f"{path}: {kind.name}; {kind.remedy}")
    known: dict[str, Row] = {}
    conflicts: dict[str, str] = {}
    for number, raw in enumerate(read_table(path), start=2):
        if "participant_id" not in raw:
            raise UserError(f"{path}: there is no column participant_id; give the first column that name")
        subject = label(raw["participant_id"])
        row = _cleaned(raw)
        if known.setdefault(subject, row) != row:
            conflicts[subject] = f"{path}, line {number}: {subject} has several rows that differ; keep the right one"
    _warn_of_groups(path, known)
    return known, conflicts


def label(participant: str) -> str:
    """Return the subject's label with its prefix: "07" and "sub-07" are the same subject."""
    participant = participant.strip()
    return participant if participant.startswith("sub-") else f"sub-{participant}"


def age_in_years(text: str) -> str:
    """Return a plain number of years ("45", "45.0", "045Y" and "89+" are understood), or empty."""
    match = re.fullmatch(r"0*(\d+(?:\.\d+)?)\s*[+yY]?", text)
    return match.group(1) if match else ""


def group(text: str) -> str:
    """Return "healthy", "patient", or empty for an empty text.

    Every word that is not known to mean healthy means patient, so that no patient is trained on by mistake.
    """
    if not text:
        return ""
    return "healthy" if text.lower() in HEALTHY else "patient"


def _cleaned(raw: Row) -> Row:
    text = {key.strip().lower(): "" if value.strip().lower() in MISSING else value.strip() for key, value in raw.items()}
    return {
        "age": age_in_years(text.get("age", "")),
        "sex": SEXES.get(text.get("sex", text.get("gender", "")).lower(), ""),
        "site": text.get("site", ""),
        "group": group(text.get("group", "")),
        "lesion_kind": text.get("lesion_kind", ""),
    }


def _warn_of_groups(path: Path, known: dict[str, Row]) -> None:
    groups = {row["group"] for row in known.values()}
    if groups == {"patient"}:
        logs.warn(f"{path}: no row's group means healthy ({', '.join(sorted(HEALTHY))}); all subjects count as patients")
