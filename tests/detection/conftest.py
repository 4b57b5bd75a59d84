"""One small run, and the model file that it is exported to, for all tests that only read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from madad.detection import model_export
from tests.detection import finished_run
from tests.detection.finished_run import FinishedRun


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    return finished_run.make(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="session")
def model(run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("models") / "atlas.zip"
    model_export.export(run.folder, file, licence="CC0")
    return file
