"""Large studies stay a few hundred jobs, and their preprocessing is divided by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from madad.configuration import settings as configuration
from madad.configuration import subject_counts
from tests.workflow.conftest import ROOT, Project
from tests.workflow.studies import make_bids, write_study

PAPER = ("preset=paper",)


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bids(tmp_path_factory.mktemp("thousand") / "bids", 1000)


@pytest.mark.slow
def test_a_thousand_subjects_twenty_methods_and_five_seeds_are_at_most_500_jobs(project: Project, thousand: Path) -> None:
    jobs = project.jobs("--configfile", write_study(project, thousand, methods=20, seeds=5), config=PAPER)
    assert sum(jobs.values()) <= 500
    assert jobs["train"] == jobs["infer"] == jobs["evaluate"] == 100 and jobs["preprocess"] == 25


@pytest.mark.slow
def test_more_subjects_are_more_shards_and_nothing_else(project: Project, thousand: Path, tmp_path: Path) -> None:
    few = make_bids(tmp_path / "few", 100)
    many, less = (
        project.jobs("--configfile", write_study(project, root, methods=2, seeds=1), config=PAPER) for root in (thousand, few)
    )
    assert many.pop("preprocess") == 25 and less.pop("preprocess") == 3
    assert many == less


def test_number_of_shards_can_be_given(thousand: Path) -> None:
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    study = {"kind": "bids", "root": str(thousand)}

    def shards(**options: object) -> int:
        cohorts = {"study": {**study, **options}}
        resolved = configuration.resolve({**default, "cohorts": cohorts, "train_on": ["study"], "test_on": ["study"]})
        return resolved["cohorts"]["study"]["shards"]

    assert shards() == 1000 // subject_counts.SUBJECTS_PER_SHARD == 25
    assert shards(limit=100) == 3 and shards(shards=7) == 7


@pytest.mark.slow
def test_a_run_tells_its_disk_before_it_starts_and_a_dry_run_does_not(project: Project, tmp_path: Path) -> None:
    study = write_study(project, make_bids(tmp_path / "ten", 10), methods=2, seeds=1)
    target = ("results/cohorts/study/manifest.tsv", "--configfile", study)
    assert "disk:" not in project.run("-n", *target, config=PAPER).stdout
    said = project.run("--cores", "1", *target, config=PAPER).stdout
    assert "disk: results/ will take about" in said and said.index("disk:") < said.index("rule cohort:")
