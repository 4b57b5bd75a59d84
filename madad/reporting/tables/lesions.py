"""Lesions as objects: a table of what is found, what is raised and how well surfaces meet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from madad.evaluation.metrics.empty_masks import OURS, convention
from madad.evaluation.results.measures import FROC_SENSITIVITIES
from madad.evaluation.results.metric import Measure
from madad.evaluation.results.metric_table import (
    FALSE_POSITIVE_COMPONENTS,
    HD95,
    HD95_PENALTY,
    LESION_F1,
    LESION_PRECISION,
    LESION_SENSITIVITY,
    LESION_SENSITIVITY_IOU,
    NSD_2MM,
    VOLUME_ERROR_ML,
)
from madad.evaluation.results.protocol_table import VALIDATION
from madad.evaluation.statistics.summary import read_summary
from madad.reporting.layout.table_writer import Cell, Column, number
from madad.reporting.tables.ceilings import ceiling_lines
from madad.reporting.tables.notes import (
    SUMMARY_NOTE,
    absent_notes,
    bold_notes,
    empty_note,
    missing_notes,
    unmarked_notes,
)
from madad.reporting.tables.results import by_block, measured, named, titled, write_all

LESIONS = (LESION_SENSITIVITY, LESION_SENSITIVITY_IOU, LESION_PRECISION, FALSE_POSITIVE_COMPONENTS, LESION_F1)
SHOWN = (
    *(metric @ VALIDATION for metric in LESIONS),
    *FROC_SENSITIVITIES,
    *(metric @ VALIDATION for metric in (HD95, HD95_PENALTY, NSD_2MM, VOLUME_ERROR_ML)),
)
NOTES = (
    "Lesions are 26-connected components of the reference of at least 3 voxels. Lesions and predicted components are matched one "
    "to one at an intersection over union (IoU) of at least 0.1; sensitivity by IoU, precision, F1 and false positives (FP) are "
    "of these pairs. Lesion sensitivity alone asks only whether a tenth of a lesion is predicted.",
    "Threshold with the best pooled Dice on validation subjects with lesions; FROC: that with so many false positives a scan, "
    "by the same pairs, over all test scans and all lesions of the test set together, its interval the jackknife over subjects.",
    "HD95 of a subject in whom nothing is predicted is the diagonal of the brain's bounding box; so many of how many subjects "
    "carry this penalty stands beside it (means over seeds and samples of a subject, so that parts of one can occur).",
)


def write_lesions(
    summary: Path,
    bases: Mapping[str, str],
    csv: Path,
    tex: Path,
    html: Path,
    ceilings: Path | None = None,
    empty: str = OURS.name,
) -> None:
    """Write lesion-wise detection, the curve at given numbers of false positives, surfaces and volume.

    Args:
        summary: see `madad.evaluation.statistics.summary`.
        bases: card of each method's name.
        ceilings: summary of the reference masks.
        empty: name of the convention that was scored by.
    """
    columns = [Column("Method", number=False), *(titled(measure) for measure in SHOWN)]
    lines = read_summary(summary)

    def row(method: str, own: pd.DataFrame) -> list[Cell]:
        return [named(method, bases), *(_shown(own, measure) for measure in SHOWN)]

    # What has no threshold has none of the others either.
    told = [LESION_SENSITIVITY @ VALIDATION, LESION_F1 @ VALIDATION]
    # under another convention a distance may have no value where all others do
    told += [HD95 @ VALIDATION] if HD95.name in convention(empty).values else []
    missing = [*absent_notes(lines, SHOWN), *missing_notes(lines, told)]
    notes = [*NOTES, empty_note(empty), SUMMARY_NOTE, *bold_notes(lines), *unmarked_notes(lines), *missing]
    highest = ceiling_lines(ceilings, SHOWN)
    write_all(by_block("Lesions as objects", columns, lines, row, notes, bases, highest), csv, tex, html)


def _shown(own: pd.DataFrame, measure: Measure) -> Cell:
    """Return a measure of one method as a cell; the penalties of HD95 as how many of how many subjects have one."""
    if measure.metric != HD95_PENALTY or measure.key not in own.index:
        return measured(own, measure)
    line = own.loc[measure.key]
    share, subjects = float(line["value"]), int(line["subjects"])
    if not math.isfinite(share):
        return number(math.nan)
    return Cell(f"{round(share * subjects, 1):g} of {subjects}", share, subjects=subjects)
