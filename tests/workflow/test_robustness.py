"""Corrupted test sets in the job graph; nothing is executed."""

from __future__ import annotations

import pytest

from tests.workflow.conftest import Project, choose

pytestmark = pytest.mark.slow
RULES = {"corrupt", "evaluate_corrupted", "collect_corrupted", "robustness", "robustness_figure", "corruption_figure"}


@pytest.fixture
def corrupted(project: Project) -> Project:
    choose(project, ["intensity", "ddpm"])
    (project.folder / "mine.yaml").write_text(
        "test_on: [phantom, phantom-implanted, phantom-corrupted, phantom-implanted-corrupted]\nseeds: [0, 1]\n"
    )
    return project


def test_corrupted_test_sets_add_their_jobs_and_no_other(corrupted: Project) -> None:
    before, after = corrupted.jobs(config=("preset=smoke", "seeds=[0,1]")), corrupted.jobs("--configfile", "mine.yaml")
    assert {rule: after[rule] for rule in RULES} == {
        "corrupt": 2,
        "evaluate_corrupted": 2 * (1 + 2),
        "collect_corrupted": 1,
        "robustness": 1,
        "robustness_figure": 2,
        "corruption_figure": 2,
    }
    assert after["infer"] == 2 * before["infer"]
    # their samples are listed beside all others; no other table or figure knows them
    same = set(before) - {"infer", "samples"}
    assert {rule: after[rule] for rule in same} == {rule: before[rule] for rule in same}
    assert set(after) == set(before) | RULES


def test_thresholds_come_from_the_test_set_as_it_was(corrupted: Project) -> None:
    target = "results/runs/phantom/FLAIR/ddpm/seed0/eval/phantom-implanted-corrupted/metrics.tsv"
    done = corrupted.run("-n", "-p", target, "--configfile", "mine.yaml")
    assert done.returncode == 0, done.stdout
    commands = [line for line in done.stdout.splitlines() if "madad stage evaluate" in line]
    command = next(line for line in commands if "--testset phantom-implanted-corrupted" in line)
    folder = "results/runs/phantom/FLAIR/ddpm/seed0/eval"
    assert f"--thresholds {folder}/phantom-implanted/metrics.tsv" in command
    assert "--packs results/packs/phantom-implanted-corrupted/FLAIR/test.h5 --" in command


def test_without_a_corrupted_test_set_nothing_is_planned(project: Project) -> None:
    assert not RULES & set(project.jobs())
