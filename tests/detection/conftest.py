"""One small run, and the model file that it is exported to, for all tests that only read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from madad import api
from madad.detection import model_export
from madad.detection.detector import Detector
from madad.detection.result import Result
from tests.detection import finished_run, scans
from tests.detection.finished_run import FinishedRun


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    return finished_run.make(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="session")
def model(run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("models") / "atlas.zip"
    model_export.export(run.folder, file, licence="CC0")
    return file


@pytest.fixture(scope="session")
def detector(model: Path) -> Detector:
    return api.load(model, device="cpu")


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scans.write(tmp_path_factory.mktemp("scan") / "sub-01_T1w.nii.gz")


@pytest.fixture(scope="session")
def result(detector: Detector, scan: Path) -> Result:
    return detector(scan)
