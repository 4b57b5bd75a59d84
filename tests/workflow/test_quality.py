"""What another limit or a hand-picked list does to a finished run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from madad.core.io.hdf5 import Pack
from madad.core.io.manifest import read_table
from tests.workflow.conftest import SMOKE, Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("finished")]
PACK = "results/packs/phantom/FLAIR/train.h5"


def test_another_limit_for_flags_changes_the_report_alone(finished: Project) -> None:
    jobs = finished.jobs(config=(*SMOKE, "quality={limits: {template_dice: {flag: [0.5, null]}}}"))
    assert jobs["verdicts"] == 1 and jobs["quality_page"] == 1
    assert not {"cohort", "preprocess", "bank", "selection", "pack", "train", "infer", "evaluate"} & set(jobs)


def subjects(project: Project, split: str) -> list[str]:
    return [row["subject"] for row in read_table(project.folder / f"results/selected/phantom/standard/{split}.tsv")]


def test_a_limit_that_excludes_nobody_packs_nothing(finished: Project) -> None:
    jobs = finished.jobs(config=(*SMOKE, "quality={limits: {template_dice: {exclude: [0.1, null]}}}"))
    assert jobs["verdicts"] == 1 and not {"selection", "pack", "train"} & set(jobs)


def test_who_is_excluded_from_training_is_trained_without_and_nothing_is_registered(finished: Project) -> None:
    jobs = finished.jobs(config=(*SMOKE, f"quality={{exclude: {{phantom: [{subjects(finished, 'train')[0]}]}}}}"))
    assert jobs["selection"] == 1 and jobs["pack"] == 3 and jobs["train"] and jobs["quality_page"] == 1
    assert not {"cohort", "preprocess", "bank"} & set(jobs)


def test_who_is_excluded_from_the_test_split_trains_nothing(finished: Project) -> None:
    jobs = finished.jobs(config=(*SMOKE, f"quality={{exclude: {{phantom: [{subjects(finished, 'test')[0]}]}}}}"))
    assert jobs["selection"] == 1 and jobs["pack"] == 1 and jobs["infer"]
    assert not {"cohort", "preprocess", "intensity", "train", "bank"} & set(jobs)


def test_another_number_of_shards_makes_nothing_again(finished: Project) -> None:
    assert finished.jobs(config=(*SMOKE, "cohorts={phantom: {shards: 5}}", "anomalies={bank: {shards: 7}}")) == {}
    said = finished.run("--cores", "1", "results/cohorts/phantom/manifest.tsv", config=(*SMOKE, "cohorts={phantom: {shards: 5}}"))
    assert "Nothing to be done" in said.stdout


def test_an_excluded_subject_leaves_its_pack_and_is_named(finished: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    shutil.copytree(finished.folder, project.folder)
    with Pack(project.folder / PACK) as pack:
        subject, *others = pack.names
    page, table = "results/quality/index.html", "results/tables/quality.html"
    done = project.run("--cores", "1", PACK, page, table, config=(*SMOKE, f"quality={{exclude: {{phantom: [{subject}]}}}}"))
    assert done.returncode == 0, done.stdout[-3000:]
    with Pack(project.folder / PACK) as pack:
        assert pack.names == others
    rows = read_table(project.folder / "results/quality/phantom/standard.tsv")
    assert [row["subject"] for row in rows if row["verdict"] == "excluded"] == [subject]
    why = "by hand (quality.exclude)"
    log = (project.folder / "results/logs/pack/phantom/FLAIR/train.log").read_text()
    assert f"{subject} FLAIR is left out, excluded: {why}" in log
    for shown in (page, table):
        text = (project.folder / shown).read_text()
        assert subject in text and why in text
