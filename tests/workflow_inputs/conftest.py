"""Plans of small changes to the default configuration."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from madad.configuration import schema, settings
from madad.workflow.plan import Plan

DEFAULT = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text())
# One cohort is enough to see what depends on what.
SMALL = {"methods": ["intensity", "ddpm"], "train_on": ["phantom"], "test_on": ["phantom", "phantom-implanted"]}


def planned(**changes: object) -> Plan:
    """The plan of the default configuration with phantoms alone and some keys changed."""
    return Plan.of(settings.resolve(schema.merge(copy.deepcopy(DEFAULT), {**SMALL, **changes})))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(paths: list[str]) -> None:
    """Make empty files, as if the jobs that write them had finished."""
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
