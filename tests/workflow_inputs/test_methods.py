"""What makes a method be trained, applied or evaluated again, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from madad.core.provenance import import_closure
from madad.workflow import methods
from madad.workflow.plan import Plan
from tests.workflow_inputs.conftest import planned

DDPM = {"cohort": "phantom", "modality": "FLAIR", "method": "ddpm", "seed": "0"}
LATE = {"late": {"base": "ddpm", "parameters": {"test_timesteps": [750]}}}


def of_ddpm(**options: object) -> dict:
    return {"method_options": {"ddpm": options}}


@pytest.mark.parametrize(
    ("changes", "trains", "infers"),
    [
        (of_ddpm(parameters={"noise_kind": "gaussian"}), True, True),
        (of_ddpm(training={"steps": 7}), True, True),
        (of_ddpm(parameters={"test_timesteps": [750]}), False, True),
        (of_ddpm(resources={"mem_mb": 9000, "threads": 3}), False, False),
        ({"methods": ["ddpm", "dae"], "seeds": [0, 1]}, False, False),
        ({"method_options": {"dae": {"training": {"steps": 7}}}}, False, False),
        ({"evaluation": {"bootstrap": 700}}, False, False),
    ],
    ids=["parameter", "training", "inference", "resources", "other methods", "options of others", "evaluation"],
)
def test_a_method_is_trained_again_for_its_own_options(changes: dict, trains: bool, infers: bool) -> None:
    plan = planned(**changes)
    assert (methods.training_options(plan, DDPM) != methods.training_options(planned(), DDPM)) is trains
    assert (methods.options(plan, DDPM) != methods.options(planned(), DDPM)) is infers


def test_a_part_counts_with_the_method_that_is_built_from_it() -> None:
    run = {**DDPM, "method": "mhd"}
    plans = planned(methods=["mhd"]), planned(methods=["mhd"], method_options={"cddpm": {"parameters": {"noise_scale": 2.0}}})
    assert len({methods.options(plan, run) for plan in plans}) == 2


def test_a_file_that_a_part_reads_counts_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    options = {"patchcore": {"parts": {"encoder": "local_encoder"}}, "local_encoder": {"parameters": {"weights": str(file)}}}
    plan, run = planned(methods=["patchcore"], method_options=options), {**DDPM, "method": "local_encoder"}
    asked = []
    for content in (b"first", b"other", b"first"):
        file.write_bytes(content)
        asked.append(methods.training_options(plan, run))
    assert asked[0] == asked[2] != asked[1]


def code(monkeypatch: pytest.MonkeyPatch, plan: Plan, method: str) -> tuple[set[str], set[str]]:
    """Modules whose code decides a training and an inference."""
    asked: list[set[str]] = []
    monkeypatch.setattr(methods, "fingerprint", lambda *modules: asked.append(import_closure(modules)) or "")
    methods.training_code(plan, method)
    methods.inference_code(plan, method)
    return asked[0], asked[1]


def test_code_is_that_of_the_method_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    training, inference = code(monkeypatch, planned(), "ddpm")
    assert "madad.methods.ddpm" in training & inference and "madad.methods.dae" not in training | inference
    assert "madad.engine.training" in training - inference and "madad.engine.inference" in inference - training
    assert "madad.data.anomalies.pairs" not in training | inference


def test_code_of_parts_counts_and_that_of_lesions_where_they_are_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(methods=["mhd", "disyre"])
    assert "madad.methods.cddpm" in code(monkeypatch, plan, "mhd")[1]
    training, inference = code(monkeypatch, plan, "disyre")
    assert "madad.data.anomalies.pairs" in training - inference


def test_only_methods_that_learn_from_lesions_wait_for_the_bank() -> None:
    plan = planned(methods=["ddpm", "disyre"])
    assert methods.training_banks(plan, DDPM) == []
    assert methods.training_banks(plan, {**DDPM, "method": "disyre"})[0] == "results/banks/standard/0-of-1.h5"


def test_parts_come_from_the_run_of_the_same_seed() -> None:
    plan = planned(methods=["mhd"], seeds=[3, 4])
    run = {**DDPM, "method": "mhd", "seed": "4"}
    assert methods.part_models(plan, run) == ["results/runs/phantom/FLAIR/cddpm/seed4/model.safetensors"]


def test_a_variant_of_inference_reuses_weights() -> None:
    plan = planned(methods=["ddpm", "late"], method_options=LATE)
    run = {**DDPM, "method": "late"}
    assert methods.reused_file(plan, run, "train.json") == "results/runs/phantom/FLAIR/ddpm/seed0/train.json"
    assert methods.source_run(plan, run) == DDPM


def test_resources_are_those_of_the_method_and_little_where_nothing_is_learnt() -> None:
    plan = planned(methods=["ddpm", "constant", "mhd"], method_options={"ddpm": {"resources": {"mem_mb": 9000}}})
    assert methods.resource(plan, "ddpm", "mem_mb") == methods.training_resource(plan, "ddpm", "mem_mb") == 9000
    assert methods.training_resource(plan, "mhd", "gpu") == 0 and methods.training_resource(plan, "constant", "threads") == 1


def test_evaluation_depends_on_its_options_and_the_protocol_of_the_paper() -> None:
    plan = planned(evaluation={"median": 7})
    assert methods.evaluation_options(plan, "ddpm") != methods.evaluation_options(planned(), "ddpm")
    assert methods.evaluation_options(planned(**of_ddpm(training={"steps": 7})), "ddpm") == methods.evaluation_options(
        planned(), "ddpm"
    )


def test_only_test_sets_of_another_cohort_are_calibrated() -> None:
    for testset in ("phantom", "phantom-implanted"):
        evaluation = {**DDPM, "testset": testset}
        assert methods.calibration_maps(evaluation) == methods.calibration_pack(evaluation) == []
    evaluation = {**DDPM, "testset": "brats-implanted"}
    assert methods.calibration_maps(evaluation) == ["results/runs/phantom/FLAIR/ddpm/seed0/calibration/maps.h5"]
    assert methods.calibration_pack(evaluation) == ["results/packs/phantom/FLAIR/validation.h5"]


def test_every_evaluation_can_be_exported() -> None:
    folders = methods.nifti_folders(planned(test_on=["phantom", "phantom-corrupted"]))
    assert len(folders) == 4 and folders[-1] == "results/runs/phantom/FLAIR/ddpm/seed0/eval/phantom-corrupted/nifti"
