"""The job graph for presets and profiles, and what happens to a bad configuration; nothing is executed."""

from __future__ import annotations

import re

import pytest
import yaml

from madad.configuration import experiments
from madad.configuration import settings as configuration
from tests.workflow.conftest import ROOT, Project, choose

pytestmark = pytest.mark.slow

# What a run does only for test sets without healthy subjects, for maps of others, for a public data set, or when it is asked to.
NOT_IN_SMOKE = {
    "all",
    "calibrate",
    "calibrate_elsewhere",
    "download",
    "export_masks",
    "export_nifti",
    "map_elsewhere",
    "masks",
    "nifti",
    "noise_kinds",
    "noise_study",
    "noised",
    "record_elsewhere",
}


@pytest.mark.parametrize("preset", ["smoke", "quickstart", "paper"])
def test_preset_plans(clone: Project, preset: str) -> None:
    config = configuration.resolve({**yaml.safe_load((ROOT / "config.yaml").read_text()), "preset": preset})
    jobs = clone.jobs(config=(f"preset={preset}",))
    assert jobs["train"] + jobs.get("reuse", 0) == sum(len(experiments.runs(config, kind)) for kind in ("methods", "parts"))
    evaluated = jobs["evaluate"] + jobs.get("evaluate_corrupted", 0)
    assert jobs["infer"] == evaluated
    assert jobs["evaluate"] == len(configuration.evaluations(config))
    assert sum(jobs.values()) < 400


def test_smoke_has_a_job_for_every_rule_of_a_run_in_few_jobs(clone: Project) -> None:
    jobs = clone.jobs()
    rules = set(re.findall(r"^(\w+) \(", clone.run("--list-rules").stdout, re.M))
    assert rules - set(jobs) == NOT_IN_SMOKE
    assert sum(jobs.values()) < 110


def test_slurm_profile_plans(project: Project) -> None:
    pytest.importorskip("snakemake_executor_plugin_slurm")
    assert project.jobs("--workflow-profile", "profiles/slurm") == project.jobs()


def test_two_cohorts_and_seeds_multiply(project: Project) -> None:
    choose(project, ["intensity", "ddpm"])
    (project.folder / "mine.yaml").write_text(
        "cohorts: {second: {kind: phantom, seed: 5}}\n"
        "train_on: [phantom, second]\ntest_on: [second-implanted, phantom]\nseeds: [0, 1]\n"
    )
    jobs = project.jobs("--configfile", "mine.yaml")
    assert jobs["cohort"] == 2 and jobs["train"] == 2 * (2 + 1) and jobs["evaluate"] == 2 * 2 * (2 + 1)


def test_an_ensemble_over_seeds_waits_for_the_training_of_each(project: Project) -> None:
    choose(project, ["rank_mean"])
    ensemble = {"parts": {"first": "dae", "second": "dae"}, "part_seeds": {"first": 0, "second": 1}}
    (project.folder / "mine.yaml").write_text(yaml.safe_dump({"seeds": [0, 1], "method_options": {"rank_mean": ensemble}}))
    jobs = project.jobs("--configfile", "mine.yaml")
    assert jobs["train"] == 3, "two of dae, and one fit of the ensemble"
    planned = project.run("-n", "-p", "--configfile", "mine.yaml").stdout
    assert re.search(r"--parts \S*/dae/seed0/model.safetensors \S*/dae/seed1/model.safetensors", planned)


def test_a_partial_report_of_nothing_is_refused(project: Project) -> None:
    done = project.run("-n", config=("preset=smoke", "partial=true"))
    assert (
        done.returncode != 0 and "partial: none of these methods has finished" in done.stdout and "Traceback" not in done.stdout
    )


def test_unchosen_method_plans_nothing(project: Project) -> None:
    (project.folder / "mine.yaml").write_text("methods: [intensity]\n")
    assert project.jobs("--configfile", "mine.yaml")["train"] == 1


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (("preset=smoke", "sedes=1"), "unknown key 'sedes', did you mean 'seeds'?"),
        (("preset=smoke", "methods=[ddmp]"), "no method is called 'ddmp', did you mean 'ddpm'?"),
    ],
)
def test_bad_configuration_is_told_at_once_and_without_traceback(project: Project, config: tuple[str, ...], says: str) -> None:
    done = project.run("-n", config=config)
    assert done.returncode != 0 and says in done.stdout and "Traceback" not in done.stdout
    assert "Building DAG" not in done.stdout
