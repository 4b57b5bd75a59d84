"""The table of single lesions: one row for every lesion of a test set, found or not, under one threshold of one method."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from madad.core.io.manifest import Row, write_table
from madad.evaluation.results.collected import join
from madad.evaluation.results.long_table import IDENTITY, SampleIdentity

# The name of the file beside a long table.
NAME = "lesions.tsv"
OF_SAMPLE = ("split", "sample", "subject", "group")
MEASURED = ("lesion", "voxels", "volume_ml", "contrast", "covered", "iou", "counts", "found", "matched")
COLUMNS = (*IDENTITY, *OF_SAMPLE, "protocol", "threshold", *MEASURED)


def write_single_lesions(
    lesions: Iterable[tuple[SampleIdentity, list[Row]]], identity: dict, protocol: str, threshold: float, out: Path
) -> None:
    """Write the lesions of one evaluation.

    Columns: identity of run and sample; `protocol` and `threshold` (a score) that the map was cut at; `lesion` (its number in the
    sample); `voxels` and `volume_ml` inside the brain; `contrast` (signed, of what methods see, against the tissue around it);
    `covered` (share of its voxels that is predicted); `iou` (with the component that is matched to it, 0 for none); `counts`
    (0: below the smallest size, neither found nor missed); `found` (1: a tenth of it is predicted) and `matched` (1: to a
    component of its own). What is unknown stays empty.

    Args:
        lesions: of every test sample.
        identity: of the run.
        protocol: name of the threshold.
        threshold: NaN where there is none.
        out: tab-separated file.
    """
    shared = {key: str(identity[key]) for key in IDENTITY}
    cut = {"protocol": protocol, "threshold": as_text(threshold)}
    rows = [{**shared, **vars(sample), **cut, **row} for sample, own in lesions for row in own]
    write_table(out, rows, COLUMNS)


def as_text(value: float) -> str:
    """Return a number for the table; empty for NaN."""
    return "" if value != value else f"{value:.9g}"


def join_lesions(lesion_tables: Iterable[Path], out: Path) -> None:
    """Write the lesions of all evaluations as one csv file.

    Raises:
        UserError: a table lacks a column.
    """
    join(lesion_tables, COLUMNS, out)
