"""The SLURM profile against stand-ins for SLURM's commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workflow import slurm_stub
from tests.workflow.conftest import Project

pytest.importorskip("snakemake_executor_plugin_slurm")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("finished")]

RUN = "results/runs/phantom/FLAIR/intensity/seed0"


def test_jobs_are_submitted_with_what_they_need(finished: Project, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    project = Project(folder)
    shutil.rmtree(folder / "results/runs/phantom/FLAIR/ddpm/seed0")
    commands, state = slurm_stub.install(tmp_path / "slurm")
    environment = project.environment()
    environment["PATH"] = f"{commands}{os.pathsep}{environment['PATH']}"
    target = "results/runs/phantom/FLAIR/ddpm/seed0/train.json"
    quick = [
        "--slurm-init-seconds-before-status-checks",
        "2",
        "--default-resources",
        "slurm_account=mylab",
        "slurm_partition=cpu",
    ]
    quick += ["mem_mb=4000", "disk_mb=4000", "runtime=60", "gpu=0"]
    command = [*project.command(target, "--workflow-profile", "profiles/slurm", *quick), "--config", "preset=smoke"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr + _logs(state)
    assert (folder / target).exists()

    calls = [" ".join(json.loads(path.read_text())) for path in state.glob("*.call")]
    assert len(calls) == 1
    for flag in ("--gpus=1", "--mem 16000", "-t 720", "--signal=TERM@180", "--requeue", "-p cpu", "-A mylab"):
        assert flag in calls[0].replace("'", ""), (flag, calls[0][:600])


def _logs(state: Path) -> str:
    return "\n".join(path.read_text() for path in state.glob("*.log"))
