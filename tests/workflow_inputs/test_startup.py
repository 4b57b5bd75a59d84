"""Before the first job: what is refused, and what every shell command starts with."""

from __future__ import annotations

import logging
import subprocess

import pytest

from madad.configuration import disk_forecast
from madad.core.errors import UserError
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


def test_shell_finds_the_package_in_a_folder_with_an_odd_name() -> None:
    folder = "/it's a $HOME"
    command = startup.shell_prefix(folder).format() + 'echo "$PYTHONPATH|$OMP_WAIT_POLICY|$MPLCONFIGDIR"'
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "/before"}
    done = subprocess.run(["bash", "-c", command], cwd="/", env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{folder}:/before|PASSIVE|//results/.cache/matplotlib\n"


@pytest.mark.parametrize(("fits", "level"), [(True, logging.INFO), (False, logging.WARNING)])
def test_a_disk_that_is_too_small_is_a_warning(monkeypatch: pytest.MonkeyPatch, fits: bool, level: int) -> None:
    monkeypatch.setattr(disk_forecast, "message", lambda config: ("disk: a line", fits))
    assert startup.first_lines(planned()) == (level, "disk: a line")


def test_a_cohort_that_lacks_a_sequence_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_forecast, "message", lambda config: ("disk: a line", True))
    cohorts = {
        name: {"kind": "phantom", "modalities": own} for name, own in {"phantom": ["T1w", "FLAIR"], "second": ["T1w"]}.items()
    }
    plan = planned(cohorts=cohorts, test_on=["phantom", "second"], modalities=["T1w", "FLAIR"])
    level, lines = startup.first_lines(plan)
    assert level == logging.WARNING
    assert lines.splitlines() == [
        "second: takes part with T1w; it has no FLAIR",
        "disk: a line",
    ]
