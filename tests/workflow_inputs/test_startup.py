"""Before the first job: what is refused, and what every shell command starts with."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from madad.configuration import disk_forecast
from madad.core.errors import UserError
from madad.core.provenance import ROOT
from madad.workflow import startup
from tests.workflow_inputs.conftest import DEFAULT, planned


def test_the_plan_is_that_of_the_configuration() -> None:
    assert startup.plan({**DEFAULT, "methods": ["intensity"]}, "/a clone").bases == {"intensity": "intensity"}


@pytest.mark.parametrize("folder", ["/a{b", "/a}b", "/a:b"])
def test_folders_that_snakemake_cannot_use_are_refused(folder: str) -> None:
    with pytest.raises(UserError, match="with a brace or colon in its name; move it"):
        startup.plan(DEFAULT, folder)


def test_problems_of_the_configuration_are_reported() -> None:
    with pytest.raises(UserError, match="did you mean 'seeds'"):
        startup.plan({**DEFAULT, "sedes": [1]}, "/a clone")


def test_jobs_find_the_package_in_a_folder_with_an_odd_name(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PYTHONPATH", "/before"), ("MADAD_PATH", ""), ("OMP_WAIT_POLICY", "ACTIVE"), ("MPLCONFIGDIR", "")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MPLCONFIGDIR")
    monkeypatch.setattr(startup, "CACHES", {"MPLCONFIGDIR": "matplotlib"})
    startup.set_environment("/it's a $HOME")
    tell = 'import os; print(*(os.environ[name] for name in ("PYTHONPATH", "OMP_WAIT_POLICY", "MPLCONFIGDIR")), sep="|")'
    command = startup.PROGRAM.replace("python -m madad stage", f"{sys.executable} -S -c '{tell}'")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == f"/it's a $HOME:/before|ACTIVE|{elsewhere}/results/.cache/matplotlib\n"


def test_a_module_stands_on_the_configuration_of_its_own_folder() -> None:
    plan = startup.plan({"preset": "smoke", "methods": ["intensity"]}, str(ROOT), module=True)
    assert plan.config["train_on"] == ["phantom"] and "ae_spatial" in plan.config["method_options"]


def test_a_second_copy_in_one_workflow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one workflow can use one copy"):
        startup.plan({}, str(tmp_path), module=True)


@pytest.mark.parametrize(("fits", "level"), [(True, logging.INFO), (False, logging.WARNING)])
def test_a_disk_that_is_too_small_is_a_warning(monkeypatch: pytest.MonkeyPatch, fits: bool, level: int) -> None:
    monkeypatch.setattr(disk_forecast, "message", lambda config: ("disk: a line", fits))
    assert startup.first_lines(planned()) == (level, "disk: a line")


def test_a_cohort_that_lacks_a_sequence_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_forecast, "message", lambda config: ("disk: a line", True))
    cohorts = {
        name: {"kind": "phantom", "modalities": own} for name, own in {"phantom": ["T1w", "FLAIR"], "second": ["T1w"]}.items()
    }
    plan = planned(cohorts=cohorts, test_on=["phantom", "second"], modalities=["T1w", "FLAIR"], initial_weights="none")
    level, lines = startup.first_lines(plan)
    assert level == logging.WARNING
    assert lines.splitlines() == [
        "second: takes part with T1w; it has no FLAIR",
        "disk: a line",
    ]


def job(rule: str, **wildcards: str) -> SimpleNamespace:
    """Stand in for a job of Snakemake's."""
    return SimpleNamespace(rule=SimpleNamespace(name=rule), wildcards=SimpleNamespace(**wildcards))


@pytest.mark.parametrize(
    ("jobs", "refused"),
    [
        ([job("cohort", cohort="study"), job("all")], False),
        ([job("preprocess", cohort="study")], False),
        ([job("train", cohort="study", method="intensity")], False),
        ([job("train", cohort="study", method="ddpm")], True),
        ([job("its_train", cohort="study", method="ddpm")], True),
        ([job("implant", cohort="study")], True),
        ([job("infer", cohort="study", method="intensity", testset="study-corrupted")], True),
    ],
)
def test_a_run_stops_where_its_jobs_need_a_group_that_is_unknown(tmp_path: Path, jobs: list, refused: bool) -> None:
    (tmp_path / "sub-01").mkdir()
    (tmp_path / "sub-01" / "sub-01_FLAIR.nii.gz").touch()
    study = {"study": {"kind": "bids", "root": str(tmp_path)}}
    plan = planned(cohorts=study, train_on=["study"], test_on=["study"], methods=["intensity", "ddpm"])
    found = startup.understood(plan)
    assert "1 of 1 subjects of study are of unknown group" in startup.cohort_lines(found)
    if not refused:
        startup.check_groups(plan, found, jobs)
        return
    with pytest.raises(UserError, match=r"cohorts\.study\.group: healthy"):
        startup.check_groups(plan, found, jobs)


@pytest.mark.parametrize(("triggers", "inputs"), [(["MTIME"], ["image"]), (["MTIME", "PARAMS", "CODE"], []), (None, [])])
def test_files_from_outside_are_inputs_where_times_alone_count(triggers: list[str] | None, inputs: list[str]) -> None:
    settings = None if triggers is None else SimpleNamespace()
    named = [SimpleNamespace(name=name) for name in triggers or ()]
    assert startup.dated(SimpleNamespace(dag_settings=settings, rerun_triggers=named), ["image"]) == inputs
