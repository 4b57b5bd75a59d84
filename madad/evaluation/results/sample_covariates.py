"""Covariates of every test sample, one row each, so that results can be divided by lesion, site, age, sex or corruption."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from madad.core.intensity_scale import saturated, seen
from madad.core.io.hdf5 import Pack, Sample
from madad.core.io.manifest import Row, read_table, write_table
from madad.core.provenance import complete
from madad.core.shapes import Vector3
from madad.evaluation.metrics.lesion_contrast import lesion_contrast
from madad.evaluation.metrics.lesion_detection import label

TEXTS = ("testset", "modality", "sample", "subject", "group", "site", "sex", "place", "base", "corruption", "severity")
NUMBERS = ("age", "lesion_ml", "lesions", "volume_ml", "asked_contrast", "contrast", "saturated")
COLUMNS = (
    *("testset", "modality", "sample", "subject", "group", "site", "age", "sex", "lesion_ml", "lesions"),
    *("volume_ml", "asked_contrast", "contrast", "saturated", "place", "base", "corruption", "severity"),
)
# Columns of the tables beside derived packs, and what they are called here: a lesion's `site` is a place in the brain,
# while `site` here is where the image was acquired.
DERIVED = {
    "volume_ml": "volume_ml",
    "contrast": "asked_contrast",
    "seen_contrast": "contrast",
    "saturated": "saturated",
    "site": "place",
    "base": "base",
    "corruption": "corruption",
    "severity": "severity",
}
# The same facts as a lesioned sample carries them.
CARRIED = {f"implant_{key}": column for key, column in DERIVED.items() if key not in ("base", "corruption", "severity")}


def write_samples(test_pack: Path, derivation_tables: Iterable[Path], testset: str, out: Path) -> None:
    """Write one row for every sample of a test pack.

    Columns: `testset`, `modality`, `sample`, `subject`, `group` (healthy, patient, implanted, unknown), `site` (of acquisition),
    `age` (years), `sex`, `lesion_ml` and `lesions` (volume inside the brain, and number as the lesion-wise measures count),
    `volume_ml`, `asked_contrast` and `place` (as ordered for an implanted lesion), `contrast` (signed, of what methods see:
    measured against the healthy image for an implanted lesion, against the tissue around all lesions for real ones),
    `saturated` (share of the lesion at an end of what methods see), `base`, `corruption` and `severity` (of a corrupted
    copy). What is unknown stays empty, such as the lesions of a patient without a reference mask.

    Args:
        test_pack: of one sequence.
        derivation_tables: what was done to make a derived test set, one row per sample under `name`; none for a cohort's own.
        testset: what the run calls it.
        out: tab-separated file to write.

    Raises:
        UserError: the pack or a table cannot be read.
    """
    done = {row["name"]: row for table in derivation_tables for row in read_table(table)}
    with Pack(test_pack) as store:
        rows = [{"testset": testset, "modality": store.modality, **row} for row in _rows(store, done)]
    write_table(out, rows, COLUMNS)


def join_samples(sample_tables: Iterable[Path], out: Path) -> None:
    """Write the rows of many test sets as one csv file."""
    rows = [row for table in sample_tables for row in read_table(table)]
    with complete(out) as partial:
        pd.DataFrame(rows, columns=pd.Index(COLUMNS)).to_csv(partial, index=False, lineterminator="\n")


def read_samples(path: str | Path) -> pd.DataFrame:
    """Read `results/tables/samples.csv`: identities as text, "" where unknown; numbers as float, NaN where unknown."""
    kinds: dict[Hashable, Any] = {**dict.fromkeys(TEXTS, str), **dict.fromkeys(NUMBERS, float)}
    unknown: dict[Hashable, list[str]] = {column: [""] for column in NUMBERS}
    return pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=unknown)


def _rows(pack: Pack, done: dict[str, Row]) -> Iterator[Row]:
    voxel_ml = float(np.prod(pack.spacing_mm)) / 1000
    for index in range(len(pack)):
        sample = pack.sample(index)
        lesions = _lesions(sample, voxel_ml) if pack.marked(index) else {}
        yield {**_measured(sample, pack.spacing_mm), **_known(sample, done), **lesions}


def _known(sample: Sample, done: dict[str, Row]) -> Row:
    """Identity of a sample, and what was done to it; the tables go before its own covariates."""
    carried, row = sample.covariates, done.get(sample.name, {})
    own = {column: _text(carried[key]) for key, column in CARRIED.items() if carried.get(key) is not None}
    own |= {column: row[key] for key, column in DERIVED.items() if row.get(key)}
    person = {key: _text(carried.get(key)) for key in ("site", "age", "sex")}
    return {
        "sample": sample.name,
        "subject": _text(carried.get("subject")) or sample.name,
        "group": sample.group,
        **person,
        **own,
    }


def _measured(sample: Sample, spacing_mm: Vector3) -> Row:
    """Contrast and saturation of a sample's lesions; nothing for one without."""
    inside = sample.lesion & sample.brain
    if not inside.any():
        return {}
    image = seen(sample.image)
    found = {"contrast": lesion_contrast(image, inside, sample.brain, spacing_mm), "saturated": saturated(image, inside)}
    return {key: f"{value:.4g}" for key, value in found.items() if np.isfinite(value)}


def _lesions(sample: Sample, voxel_ml: float) -> Row:
    inside = sample.lesion & sample.brain
    return {"lesion_ml": f"{inside.sum() * voxel_ml:.6g}", "lesions": str(label(inside)[1])}


def _text(value: object) -> str:
    """Return a covariate as text; whole numbers without decimals, "" where unknown."""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
