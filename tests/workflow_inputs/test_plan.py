"""The plan follows from the configuration, and with `partial` from what is finished."""

from __future__ import annotations

from pathlib import Path

from madad.workflow import paths
from tests.workflow_inputs.conftest import planned, touch

CORRUPTED = ["phantom", "phantom-implanted", "phantom-corrupted"]
LATE = {"late": {"base": "ddpm", "parameters": {"test_timesteps": [750]}}}


def test_runs_and_evaluations_multiply() -> None:
    plan = planned(seeds=[0, 1], test_on=CORRUPTED)
    assert [(run["method"], run["seed"]) for run in plan.runs] == [("intensity", "0"), ("ddpm", "0"), ("ddpm", "1")]
    assert len(plan.evaluations) == 6 and len(plan.corrupted) == 3 and len(plan.all_evaluations) == 9
    assert {run["testset"] for run in plan.corrupted} == {"phantom-corrupted"}
    assert {run["testset"] for run in plan.uncorrupted} == {"phantom"} and len(plan.uncorrupted) == 3


def test_parts_are_trained_but_not_evaluated() -> None:
    plan = planned(methods=["mhd"])
    assert [run["method"] for run in plan.trainings] == ["mhd", "cddpm"]
    assert {run["method"] for run in plan.evaluations} == {"mhd"} and plan.parts == {"mhd": ["cddpm"]}
    assert list(plan.bases) == ["mhd"] and set(plan.cards) == {"mhd", "cddpm"}


def test_a_variant_has_the_card_and_the_track_of_its_base() -> None:
    plan = planned(methods=["ddpm", "late"], method_options=LATE)
    assert plan.bases == {"ddpm": "ddpm", "late": "ddpm"} and plan.cards["late"]["name"] == "ddpm"
    assert plan.tracks == {"ddpm": "healthy", "late": "healthy"}


def test_partial_keeps_what_is_finished(elsewhere: Path) -> None:
    whole = planned(seeds=[0, 1], test_on=CORRUPTED)
    first, second = whole.runs[:2]
    touch(paths.train_json([first, second]) + paths.metrics([{**first, "testset": "phantom-corrupted"}]))
    plan = planned(seeds=[0, 1], test_on=CORRUPTED, partial=True)
    assert plan.runs == (first, second) and not plan.evaluations
    assert plan.corrupted == ({**first, "testset": "phantom-corrupted"},)
    assert len(whole.runs) == 3 and len(whole.evaluations) == 6


def test_partial_without_results_is_empty(elsewhere: Path) -> None:
    plan = planned(methods=["mhd"], partial=True)
    assert not plan.trainings and not plan.all_evaluations and not plan.first_seeds()
    assert list(plan.entries) == ["mhd", "cddpm"], "what decides a rerun must not depend on what is finished"


def test_partial_leaves_out_a_run_whose_weights_are_gone(elsewhere: Path) -> None:
    options = {"methods": ["ddpm", "late"], "method_options": LATE, "partial": True}
    ddpm, late = planned(**{**options, "partial": False}).runs
    touch(paths.train_json([late]))
    assert planned(**options).runs == ()
    touch(paths.train_json([ddpm]))
    assert planned(**options).runs == (ddpm, late)


def test_pictures_show_the_lowest_seed() -> None:
    plan = planned(seeds=[10, 9])
    assert {run["seed"] for run in plan.first_seeds(method="ddpm")} == {"9"}
    assert [run["method"] for run in plan.first_seeds(testset="phantom")] == ["intensity", "ddpm"]
    assert plan.first_seeds(testset="phantom", method="ddpm", cohort="phantom", modality="FLAIR") == [
        {"cohort": "phantom", "modality": "FLAIR", "method": "ddpm", "seed": "9", "testset": "phantom"}
    ]


def test_only_a_partial_report_looks_for_files(elsewhere: Path) -> None:
    touch(["here"])
    assert planned().available(["here", "not here"]) == ["here", "not here"]
    assert planned(partial=True).available(["here", "not here"]) == ["here"]


def test_pipelines_in_use() -> None:
    plan = planned(pipelines={"standard": {}, "unused": {}})
    assert plan.pipelines == ["standard"] and plan.pipeline_of("phantom") == "standard"
