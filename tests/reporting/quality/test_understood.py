"""The page of the report says how every cohort was understood."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from madad.data.cohorts import bids
from madad.data.cohorts.finding import summary
from madad.data.cohorts.finding.manifest_rows import read
from madad.reporting.quality.understood import write_cohorts
from tests.data.cohorts.small_cohorts import READ, t1w, write_image


def test_page_tells_groups_evidence_masks_and_notes(tmp_path: Path) -> None:
    root = tmp_path / "study"
    mask = "derivatives/lesions/sub-02/anat/sub-02_label-lesion_mask.nii.gz"
    for number, name in enumerate([*t1w("01", "02"), mask]):
        write_image(root / name, number)
    path = tmp_path / "results/cohorts/study/summary.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(summary.facts(read(bids.find, root, READ, ["T1w"]), root, "bids", "auto")))
    write_cohorts([path], tmp_path / "c.csv", tmp_path / "c.html")
    rows = list(csv.DictReader((tmp_path / "c.csv").open()))
    told = {row["What"]: row["Understood"] for row in rows}
    assert {row["Cohort"] for row in rows} == {f"study: {root}"}
    assert told["subjects"] == "1 patient, 1 unknown" and told["images"] == "2 T1w"
    assert told["lesion masks"] == "1 as derivatives/lesions/sub-*/anat/sub-*_label-lesion_mask.nii.gz"
    assert "cohorts.study.group: by_mask" in told["note"] and "sub-01" in (tmp_path / "c.html").read_text()
