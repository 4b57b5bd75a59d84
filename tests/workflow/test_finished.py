"""What a finished run left, and what the next run would do."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from madad.core.io.hdf5 import Maps
from tests.workflow.conftest import PARTS, SMOKE, Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("finished")]


@contextmanager
def edited(project: Project, module: str) -> Iterator[None]:
    """While the block runs a module's code is another; then it is as it was."""
    path = project.folder / "madad" / module
    before = path.read_text()
    path.write_text(before + "\nUNUSED = 1\n")
    try:
        yield
    finally:
        path.write_text(before)


def jobs_after_edit(project: Project, module: str) -> dict[str, int]:
    """What would run if a module's code had changed."""
    with edited(project, module):
        return project.jobs()


def trained_after(project: Project, module: str) -> set[str]:
    """Whose training would run again if a module's code had changed."""
    with edited(project, module):
        done = project.run("-n")
    return set(
        re.findall(
            r"results/runs/phantom/FLAIR/(\w+)/seed0/train\.json", "".join(re.findall(r"^ +output: .*$", done.stdout, re.M))
        )
    )


def test_second_run_has_nothing_to_do(finished: Project) -> None:
    assert "Nothing to be done" in finished.run("--cores", "2").stdout


def test_every_method_and_test_set_is_in_the_long_table(finished: Project) -> None:
    rows = list(csv.DictReader((finished.folder / "results/tables/metrics.csv").open()))
    pairs = {(row["method"], row["testset"]) for row in rows}
    methods, testsets = ("intensity", "ddpm", "mhd", "late"), ("phantom", "phantom-implanted")
    assert pairs == {(method, testset) for method in methods for testset in testsets}


def test_comment_reruns_nothing(finished: Project) -> None:
    path = finished.folder / "madad" / "methods" / "ddpm.py"
    path.write_text(path.read_text() + "\n# a remark\n")
    assert finished.jobs() == {}


def test_editing_one_method_reruns_it_alone(finished: Project) -> None:
    jobs = jobs_after_edit(finished, "methods/intensity.py")
    assert jobs["train"] == 1 and jobs["infer"] == 2 and jobs["evaluate"] == 2
    assert not {"cohort", "preprocess", "pack", "implant"} & set(jobs)


def test_editing_a_part_reruns_what_stands_on_it(finished: Project) -> None:
    assert trained_after(finished, "models/components/spark.py") == {"spark", "cddpm", "mhd"}
    assert trained_after(finished, "methods/cddpm.py") == {"cddpm", "mhd"}


def test_another_option_of_a_part_retrains_what_stands_on_it(finished: Project) -> None:
    options = "method_options={cddpm: {training: {steps: 7}, parts: {pretraining: spark}}}"
    jobs = finished.jobs(config=(*SMOKE, options))
    assert jobs["train"] == 2 and jobs["infer"] == 2


def test_a_model_holds_the_weights_of_its_parts(finished: Project) -> None:
    models = {
        name: load_file(finished.folder / f"results/runs/phantom/FLAIR/{name}/seed0/model.safetensors")
        for name in ("cddpm", "mhd")
    }
    assert models["mhd"].keys() == {f"model.{key}" for key in models["cddpm"]}
    assert all(torch.equal(models["mhd"][f"model.{key}"], value) for key, value in models["cddpm"].items())


def test_editing_the_evaluation_trains_nothing(finished: Project) -> None:
    jobs = jobs_after_edit(finished, "evaluation/protocol/run.py")
    assert jobs["evaluate"] == 8 and not {"train", "infer"} & set(jobs)


def test_another_hyper_parameter_retrains_that_method(finished: Project) -> None:
    jobs = finished.jobs(config=(*SMOKE, "method_options={ddpm: {training: {steps: 7}}}"))
    assert jobs["train"] == 2 and jobs["infer"] == 4  # `late` has no weights to reuse any more


def test_another_setting_of_inference_trains_nothing(finished: Project) -> None:
    jobs = finished.jobs(config=(*SMOKE, "method_options={ddpm: {parameters: {test_timesteps: [250]}}}"))
    assert jobs["infer"] == 2 and not {"train", "reuse"} & set(jobs)


def test_a_variant_of_inference_reuses_the_weights_and_makes_maps_of_its_own(finished: Project) -> None:
    own, source = (finished.folder / f"results/runs/phantom/FLAIR/{method}/seed0" for method in ("late", "ddpm"))
    told = json.loads((own / "train.json").read_text())
    assert told["weights_from"] == "ddpm" and told["identity"]["method"] == "late"
    weights, same = (load_file(run / "model.safetensors") for run in (own, source))
    assert all(torch.equal(weights[key], value) for key, value in same.items())
    with Maps(own / "eval/phantom/maps.h5") as maps, Maps(source / "eval/phantom/maps.h5") as others:
        assert not np.array_equal(maps.anomaly_map(0), others.anomaly_map(0))


def test_a_partial_report_trains_no_lender(finished: Project) -> None:
    source = finished.folder / "results/runs/phantom/FLAIR/ddpm/seed0/train.json"
    aside = source.rename(source.with_name("aside.json"))
    try:
        done = finished.run("-n", config=(*SMOKE, "partial=true"))
    finally:
        aside.rename(source)
    assert done.returncode == 0 and "rule headline" in done.stdout
    assert "rule train:" not in done.stdout and "rule reuse:" not in done.stdout and "/late/" not in done.stdout


def test_provenance_tells_configuration_and_versions(finished: Project) -> None:
    told = json.loads((finished.folder / "results/provenance.json").read_text())
    assert told["configuration"]["preset"] == "smoke" and told["environment"]["torch"][0].isdigit()


def test_nothing_is_written_outside_results(finished: Project) -> None:
    assert {path.name for path in finished.folder.iterdir()} <= {"results", ".snakemake", "report.html", *PARTS}


def test_maps_can_be_exported(finished: Project) -> None:
    target = "results/runs/phantom/FLAIR/ddpm/seed0/eval/phantom/nifti"
    done = finished.run("--cores", "1", target)
    assert done.returncode == 0, done.stdout[-3000:]
    assert list((finished.folder / target / "test").glob("sub-*_desc-map.nii.gz"))


def test_masks_can_be_exported_at_any_named_threshold(finished: Project) -> None:
    target = "results/runs/phantom/FLAIR/ddpm/seed0/eval/phantom/masks/healthy_fpr_1"
    done = finished.run("--cores", "1", target)
    assert done.returncode == 0, done.stdout[-3000:]
    assert list((finished.folder / target).glob("sub-*_dseg.nii.gz"))
