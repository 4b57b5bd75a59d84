"""Preprocessing of a part of a cohort, session by session: finished ones are kept and one failure does not stop the rest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from madad.core.io.file_types import voxel_file
from madad.core.io.manifest import Row, image_name, write_table
from madad.core.logs import progress, say, warn
from madad.core.provenance import content_hash, file_hash, fingerprint, write_json
from madad.data import template
from madad.data.preprocessing import derivative_names, peak_memory, quality_columns, session
from madad.data.preprocessing.skull_stripping import strippers
from madad.data.preprocessing.steps import own_space

# Options of later steps, which must not cause a new registration.
LATER = ("intensity", "reference")
INPUTS = ("path", "brain_mask", "lesion_mask")
MEANINGS = ("modality", "frame", "lesion_labels")
TEMPLATE = ("template", "template_brain")


def run(rows: Sequence[Row], shard: int, shards: int, folder: Path, options: dict, table: Path) -> None:
    """Preprocess the images of one shard and write their rows.

    Args:
        rows: the whole manifest; sessions and modalities of a subject belong to one shard.
        shard: number of the shard, counted from 0.
        shards: number of shards.
        folder: folder for the files of all subjects.
        options: as for `session.preprocess`; others are ignored.
        table: tab-separated file with `quality_columns.COLUMNS`, status "ok" or "failed".

    Raises:
        UserError: something that every image needs is missing.
    """
    mine = [list(images) for _, images in groupby(share(rows, shard, shards), key=image_name)]
    if mine:
        strippers.check_ready(options)
    done: list[Row] = []
    for images in progress(mine, f"preprocessing, shard {shard + 1} of {shards}"):
        done += _session(images, Path(folder), options)
    write_table(table, done, quality_columns.COLUMNS)
    failed = sum(row["status"] == "failed" for row in done)
    say(f"{len(done) - failed} of {len(done)} images are ready, {failed} failed")


def share(rows: Sequence[Row], shard: int, shards: int) -> list[Row]:
    """Return the rows of every `shards`-th subject of the sorted list, in the order of subject, session and modality."""
    subjects = sorted({row["subject"] for row in rows})
    mine = set(subjects[shard::shards])
    return sorted((row for row in rows if row["subject"] in mine), key=lambda row: (image_name(row), row["modality"]))


def _session(rows: Sequence[Row], folder: Path, options: dict) -> list[Row]:
    """Preprocess a session: all images together, or each alone when they are not aligned."""
    if options.get("align", "joint") == "separate":
        return [done for row in rows for done in _together([row], folder, options)]
    return _together(rows, folder, options)


def _together(rows: Sequence[Row], folder: Path, options: dict) -> list[Row]:
    """Return the rows of images that are processed together, from their records if nothing has changed."""
    space = own_space.SPACE if own_space.is_kept(options) else template.space(options)
    files = {row["modality"]: derivative_names.derivatives(folder, row, space) for row in rows}
    identity = _identity(rows, options)
    recorded = [_recorded(files[row["modality"]], identity) for row in rows]
    results = [result for result in recorded if result is not None]
    if len(results) < len(rows):
        for paths in files.values():
            paths["record"].parent.mkdir(parents=True, exist_ok=True)
            paths["record"].unlink(missing_ok=True)
        peak_memory.forget_peak()
        results = [
            {**result, "peak_memory_mb": f"{peak_memory.peak_mb():.0f}"} for result in session.preprocess(rows, files, options)
        ]
        for row, result in zip(rows, results, strict=True):
            _keep(row, result, files[row["modality"]]["record"], identity)
    return [_row(row, result, files[row["modality"]]) for row, result in zip(rows, results, strict=True)]


def _keep(row: Row, result: Row, record: Path, identity: str) -> None:
    """Write a record of a finished image; a failed one is tried again in the next run."""
    if result["status"] == "ok":
        write_json(record, {"identity": identity, "measures": result})
    else:
        warn(f"{image_name(row)} {row['modality']}: {result['reason']}")


def _row(row: Row, result: Row, files: dict[str, Path]) -> Row:
    """Return the current row of the manifest with the measures and the paths of the files."""
    if result["status"] != "ok":
        return {**row, **result}
    written = _written(files, result)
    return {**row, **result, **{key: str(written[key]) for key in quality_columns.FILES if key in written}}


def _written(files: dict[str, Path], result: Row) -> dict[str, Path]:
    """Return the files of an image; only one with a lesion mask, its own or another sequence's, has a file for it."""
    return {key: path for key, path in files.items() if key != "lesion" or result.get("lesion_from")}


def _identity(rows: Sequence[Row], options: dict) -> str:
    """Return a hash of everything the results depend on: the bytes of the session's inputs, the options and the code."""
    inputs = [{key: _hash(row[key]) for key in INPUTS} | {key: row.get(key, "") for key in MEANINGS} for row in rows]
    chosen = {key: value for key, value in options.items() if key not in LATER}
    targets = {key: _hash(str(options.get(key) or "")) for key in TEMPLATE}
    code = fingerprint("madad.data.preprocessing.session")
    return content_hash({"inputs": inputs, "options": chosen, "template": targets, "code": code})


def _hash(path: str) -> str:
    """Return the hash of a file's bytes, of a pair's header and voxels; empty if there is none."""
    files = dict.fromkeys([Path(path), voxel_file(path)]) if path else ()
    return " ".join(file_hash(file) for file in files if file.is_file())


def _recorded(files: dict[str, Path], identity: str) -> Row | None:
    """Return the measures of an earlier run with the same identity, if all its files exist."""
    try:
        record = json.loads(files["record"].read_text())
    except (FileNotFoundError, ValueError):  # also what is not UTF-8
        return None
    if record.get("identity") != identity:
        return None
    return record["measures"] if all(path.is_file() for path in _written(files, record["measures"]).values()) else None
