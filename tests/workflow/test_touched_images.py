"""What a cohort's files hold decides whether it is read again, not their times; with `--rerun-triggers mtime` times do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.workflow.conftest import Project
from tests.workflow.studies import make_bids

pytestmark = pytest.mark.slow
MANIFEST = "results/cohorts/study/manifest.tsv"
NOTHING = "Nothing to be done"


def test_another_time_lists_no_cohort_again_and_another_image_does(project: Project, tmp_path: Path) -> None:
    root = make_bids(tmp_path / "bids", 5)
    table, image = root / "participants.tsv", root / "sub-0001/anat/sub-0001_FLAIR.nii.gz"
    study = {"kind": "bids", "root": str(root)}
    config = {
        "preset": "smoke",
        "cohorts": {"study": study},
        "train_on": ["study"],
        "test_on": ["study"],
        "methods": ["intensity"],
    }
    (project.folder / "study.json").write_text(json.dumps(config))

    def said(*arguments: str) -> str:
        done = project.run(MANIFEST, "--configfile", "study.json", *arguments)
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    said("--cores", "1")
    os.utime(image)
    table.write_text(table.read_text().replace("\n", "\tshoe\n"))
    assert NOTHING in said("--cores", "1")
    assert NOTHING not in said("-n", "--rerun-triggers", "mtime")
    image.unlink()  # all images are one file
    nib.save(nib.Nifti1Image(np.full((4, 4, 4), 2, np.float32), np.eye(4)), image)
    assert NOTHING not in said("-n")
