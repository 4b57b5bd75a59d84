"""Notes beneath tables."""

from __future__ import annotations

import pandas as pd

from madad.evaluation.results.collected import BLOCK, block_title
from madad.reporting.tables.notes import unmarked_notes


def test_scans_without_a_reference_mask_are_not_said_to_be_of_patients_alone() -> None:
    block = dict(zip(BLOCK, ("soop", "FLAIR", "soop"), strict=True))
    lines = pd.DataFrame(
        [{**block, "measure": measure, "value": value} for measure, value in (("unmarked", 3.0), ("auprc", 1.0))]
    )
    assert unmarked_notes(lines) == [
        f"{block_title(*block.values())}: 3 scans, of patients or of people of an unknown group, have no reference mask "
        "and stay out of all that needs one."
    ]
    assert unmarked_notes(lines.assign(value=0.0)) == []
