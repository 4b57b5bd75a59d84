"""Dry runs of the studies of papers, whole and small."""

from __future__ import annotations

import shutil

import pytest
import yaml

from tests.paper_studies import FOLDER, STUDIES, places
from tests.workflow.conftest import ROOT, Project

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", STUDIES)
def test_study_plans(clone: Project, name: str) -> None:
    (clone.folder / "places.yaml").write_text(yaml.safe_dump(places(STUDIES[name], clone.folder / "data")))
    shutil.copytree(FOLDER, clone.folder / FOLDER.name)
    files = [str(file.relative_to(ROOT)) for file in STUDIES[name]]
    jobs = clone.jobs("--configfile", *files, "places.yaml", config=("partial=false",))
    assert jobs["evaluate"] == jobs["infer"] > 0 and jobs["ledger"] == 1
