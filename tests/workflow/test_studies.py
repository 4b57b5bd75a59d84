"""Dry runs of the studies of papers, whole and small."""

from __future__ import annotations

import shutil

import pytest
import yaml

from tests.paper_studies import FOLDER, STUDIES, places
from tests.workflow.conftest import ROOT, Project

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", STUDIES)
def test_study_plans(project: Project, name: str) -> None:
    (project.folder / "places.yaml").write_text(yaml.safe_dump(places(STUDIES[name], project.folder / "data")))
    shutil.copytree(FOLDER, project.folder / FOLDER.name)
    files = [str(file.relative_to(ROOT)) for file in STUDIES[name]]
    jobs = project.jobs("--configfile", *files, "places.yaml", config=("partial=false",))
    assert jobs["evaluate"] == jobs["infer"] > 0 and jobs["ledger"] == 1
