"""Lesions as objects: a table of what is found, what is raised and how well surfaces meet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from madad.evaluation.results.measures import FROC_SENSITIVITIES
from madad.evaluation.results.metric_table import (
    FALSE_POSITIVE_COMPONENTS,
    HD95,
    LESION_F1,
    LESION_PRECISION,
    LESION_SENSITIVITY,
    LESION_SENSITIVITY_IOU,
    NSD_2MM,
    VOLUME_ERROR_ML,
)
from madad.evaluation.results.protocol_table import VALIDATION
from madad.evaluation.statistics.summary import read_summary
from madad.reporting.layout.table_writer import Cell, Column
from madad.reporting.tables.notes import SUMMARY_NOTE, bold_notes, missing_notes
from madad.reporting.tables.results import by_block, measured, named, titled, write_all

LESIONS = (LESION_SENSITIVITY, LESION_SENSITIVITY_IOU, LESION_PRECISION, FALSE_POSITIVE_COMPONENTS, LESION_F1)
SHOWN = (
    *(metric @ VALIDATION for metric in LESIONS),
    *FROC_SENSITIVITIES,
    *(metric @ VALIDATION for metric in (HD95, NSD_2MM, VOLUME_ERROR_ML)),
)
NOTES = (
    "Lesions are 26-connected components of the reference of at least 3 voxels. One is found when a tenth of it is predicted; "
    "by IoU when it shares a tenth of the union with the components that touch it. A component that touches no lesion is a "
    "false positive (FP). One component over the whole brain finds every lesion: F1 therefore takes the sensitivity by IoU.",
    "Threshold with the best pooled Dice on validation subjects with lesions; FROC: that with so many false positives a scan, "
    "over all test scans and all lesions of the test set together.",
)


def write_lesions(summary: Path, bases: Mapping[str, str], csv: Path, tex: Path, html: Path) -> None:
    """Write lesion-wise detection, the curve at given numbers of false positives, surfaces and volume.

    Args:
        summary: see `madad.evaluation.statistics.summary`.
        bases: card of each method's name.
    """
    columns = [Column("Method", number=False), *(titled(measure) for measure in SHOWN)]
    lines = read_summary(summary)

    def row(method: str, own: pd.DataFrame) -> list[Cell]:
        return [named(method, bases), *(measured(own, measure) for measure in SHOWN)]

    # What has no threshold has none of the others either.
    missing = missing_notes(lines, (LESION_SENSITIVITY @ VALIDATION, LESION_F1 @ VALIDATION))
    notes = [*NOTES, SUMMARY_NOTE, *bold_notes(lines), *missing]
    write_all(by_block("Lesions as objects", columns, lines, row, notes, bases), csv, tex, html)
