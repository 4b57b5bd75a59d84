"""A small phantom cohort, and BIDS data sets made of noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from madad.data.cohorts import phantom
from tests.data.cohorts.small_cohorts import PHANTOM, write_image


@pytest.fixture(scope="session")
def phantom_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a phantom cohort of five coarse heads, which tests only read."""
    root = tmp_path_factory.mktemp("phantom")
    phantom.build(root, PHANTOM, workers=1)
    return root


@pytest.fixture
def bids_root(tmp_path: Path) -> Callable[..., Path]:
    """Write a data set from file names below its root: `bids_root("sub-01/anat/sub-01_T1w.nii.gz", …)`; every file differs."""

    def write(*names: str, participants: str = "") -> Path:
        root = tmp_path / "data"
        for number, name in enumerate(names):
            write_image(root / name, number)
        if participants:
            (root / "participants.tsv").write_text(participants)
        return root

    return write
