"""Runs that are killed, and trainings that meet each other."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.workflow.conftest import SMOKE, Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("finished")]

RUN = "results/runs/phantom/FLAIR/ddpm/seed0"
METRICS = f"{RUN}/eval/phantom/metrics.tsv"
# Long enough to be caught in the middle, a checkpoint after every step.
LONG = (*SMOKE, "method_options={ddpm: {training: {steps: 300, checkpoint_every_s: 0}}}")


@pytest.fixture
def prepared(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project without its trained model."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    shutil.rmtree(folder / RUN)
    return Project(folder)


def start(project: Project, *arguments: str) -> subprocess.Popen:
    command = [*project.command("--cores", "2", *arguments), "--config", *LONG]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command, cwd=project.folder, env=project.environment(), stdout=quiet, stderr=quiet, start_new_session=True
    )


def run(project: Project, *arguments: str) -> str:
    done = project.run("--cores", "2", *arguments, config=LONG)
    assert done.returncode == 0, done.stdout
    return done.stdout


def wait_for_checkpoint(project: Project, process: subprocess.Popen) -> None:
    folder = project.folder / "results/checkpoints/phantom/FLAIR/ddpm/seed0"
    end = time.monotonic() + 1200
    while time.monotonic() < end:
        assert process.poll() is None, "the run ended before it wrote a checkpoint"
        if any(path.suffix in (".pt", ".safetensors") and not path.name.startswith(".") for path in folder.glob("*")):
            return
        time.sleep(0.1)
    pytest.fail("no checkpoint within twenty minutes")


def kill_everything(process: subprocess.Popen) -> None:
    tree = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for member in tree:
        member.kill()
    psutil.wait_procs(tree, timeout=30)


def test_killed_training_resumes_to_the_same_numbers(prepared: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / "other")
    shutil.copytree(prepared.folder, other.folder, symlinks=True)
    run(other, METRICS)

    process = start(prepared, METRICS)
    wait_for_checkpoint(prepared, process)
    kill_everything(process)
    assert not (prepared.folder / RUN / "model.safetensors").exists()
    run(prepared, "--unlock", METRICS)
    said = run(prepared, METRICS)

    assert "resum" in said.lower()
    uninterrupted, resumed = ((p.folder / METRICS).read_text().splitlines() for p in (other, prepared))
    timeless = [
        [line for line in lines if "\tseconds" not in line and "peak_memory" not in line] for lines in (uninterrupted, resumed)
    ]
    assert timeless[0] == timeless[1] and len(timeless[0]) > 10
    weights = [(p.folder / RUN / "model.safetensors").read_bytes() for p in (other, prepared)]
    assert weights[0] == weights[1]
