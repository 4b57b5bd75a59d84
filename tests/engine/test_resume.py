"""A training that is killed and resumed gives the bits of one that was not."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from madad.core.errors import UserError
from madad.engine.checkpoints import NAME
from tests.engine import toy, worker

ROOT = Path(__file__).resolve().parents[2]
STEPS = 600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    toy.packs(tmp_path)
    return tmp_path


def start(folder: Path) -> subprocess.Popen:
    """Start a training in another process and wait for its first checkpoint."""
    checkpoint = folder / "run-checkpoints" / NAME
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/engine/worker.py"), str(folder), str(STEPS)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 900
    while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end, "no checkpoint within 15 minutes"
        time.sleep(0.01)
    return process


def losses(run: Path) -> list[tuple[str, str, str]]:
    with open(run / "history.csv") as stream:
        return [(row["step"], row["loss"], row["validation_loss"]) for row in csv.DictReader(stream)]


def test_kill_and_resume(folder: Path, capfd: pytest.CaptureFixture) -> None:
    first = start(folder)
    with pytest.raises(UserError, match=f"process {first.pid} on "):  # while it trains, nobody else may
        worker.run(folder, toy.denoiser(), STEPS)
    first.kill()
    assert first.wait() == -signal.SIGKILL
    assert not (folder / "run" / "model.safetensors").exists()

    second = start(folder)
    second.send_signal(signal.SIGTERM)
    assert second.wait() == 143
    said = second.stderr.read()
    assert "resumes after step" in said and "interrupted after step" in said
    assert (folder / "run-checkpoints" / NAME).exists()

    # Sleeping changes no number, and the code of a method outside the package is not part of the fingerprint.
    worker.run(folder, toy.denoiser(), STEPS)
    assert "resumes after step" in capfd.readouterr().err
    worker.run(folder, toy.denoiser(), STEPS, where="uninterrupted")

    assert losses(folder / "run") == losses(folder / "uninterrupted")
    models = [(folder / run / "model.safetensors").read_bytes() for run in ("run", "uninterrupted")]
    assert models[0] == models[1]
    assert not (folder / "run-checkpoints").exists()
