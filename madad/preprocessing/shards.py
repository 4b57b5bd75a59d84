"""A share of a cohort, one image after the other; what is done stays done and one failure stops nothing."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from pathlib import Path

from madad.errors import SubjectError
from madad.logs import progress, say, warn
from madad.manifest import Row, image_name, write_table
from madad.preprocessing import naming, quality, subject
from madad.provenance import content_hash, file_hash, fingerprint, write_json

# The options that change a result; normalisation comes later and must not redo a registration.
OPTIONS = ("skull_strip", "spacing_mm", "bias_field", "registration")
INPUTS = ("path", "brain_mask", "lesion_mask")


def run(rows: Sequence[Row], shard: int, shards: int, folder: Path, options: dict, table: Path) -> None:
    """Preprocess the images of one shard and write their rows.

    Args:
        rows: the whole manifest; sessions and modalities of a subject fall into one shard.
        shard, shards: which share, counted from 0, of how many.
        folder: where the files of every subject go.
        options: skull_strip, spacing_mm, bias_field, registration; others are ignored.
        table: tab-separated file with `quality.COLUMNS`, status "ok" or "failed".
    """
    mine = share(rows, shard, shards)
    done = [_one(row, Path(folder), options) for row in progress(mine, f"preprocessing, shard {shard + 1} of {shards}")]
    write_table(table, done, quality.COLUMNS)
    failed = sum(row["status"] == "failed" for row in done)
    say(f"{len(done) - failed} of {len(done)} images are ready, {failed} failed")


def share(rows: Sequence[Row], shard: int, shards: int) -> list[Row]:
    """The rows of every `shards`-th subject of the sorted list, in the order of subject, session and modality."""
    subjects = sorted({row["subject"] for row in rows})
    mine = set(subjects[shard::shards])
    return sorted((row for row in rows if row["subject"] in mine), key=lambda row: (image_name(row), row["modality"]))


def _one(row: Row, folder: Path, options: dict) -> Row:
    try:
        return _finished(row, folder, options)
    except SubjectError as error:
        reason = str(error)
    except Exception as error:  # whatever one image does to a library must not cost the others
        reason = f"{row['path']}: {type(error).__name__}: {error}"
        say(traceback.format_exc())
    warn(f"{image_name(row)} {row['modality']}: {reason}")
    return {**row, "status": "failed", "reason": " ".join(reason.split())}


def _finished(row: Row, folder: Path, options: dict) -> Row:
    """Row of an image that is done, from its record where nothing has changed since."""
    files = naming.derivatives(folder, row)
    files = files if row["lesion_mask"] else {key: path for key, path in files.items() if key != "lesion"}
    identity = _identity(row, options)
    measures = _recorded(files, identity)
    if measures is None:
        files["record"].parent.mkdir(parents=True, exist_ok=True)
        files["record"].unlink(missing_ok=True)
        measures = subject.preprocess(row, files, options)
        write_json(files["record"], {"identity": identity, "measures": measures})
    places = {key: str(files[key]) for key in quality.FILES if key in files}
    return {**row, "status": "ok", "reason": "", **places, **measures}


def _identity(row: Row, options: dict) -> str:
    """What the result depends on: the bytes of the inputs, the options and the code."""
    hashes = {key: file_hash(row[key]) if row[key] and Path(row[key]).is_file() else "" for key in INPUTS}
    chosen = {key: options[key] for key in OPTIONS}
    return content_hash({"inputs": hashes, "options": chosen, "code": fingerprint("madad.preprocessing.subject")})


def _recorded(files: dict[str, Path], identity: str) -> Row | None:
    """Measures of an earlier run with the same identity, when all its files are there."""
    try:
        record = json.loads(files["record"].read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    complete = all(path.is_file() for path in files.values())
    return record["measures"] if complete and record.get("identity") == identity else None
