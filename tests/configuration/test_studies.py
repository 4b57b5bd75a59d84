"""The files of studies/: each resolves, and its small variant keeps what makes it the study."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
import yaml

from madad.configuration import schema, settings
from madad.configuration.schema import Options
from tests.paper_studies import FOLDER, ROOT, STUDIES, places

DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())


@cache
def resolved(name: str) -> Options:
    config, files = copy.deepcopy(DEFAULT), STUDIES[name]
    for layer in (*(yaml.safe_load(file.read_text()) for file in files), places(files, Path(mkdtemp()))):
        config = schema.merge(config, layer)
    return settings.resolve(config)


@pytest.mark.parametrize("name", STUDIES)
def test_study_trains_and_tests_what_it_names(name: str) -> None:
    config = resolved(name)
    tested = {run["testset"] for run in settings.evaluations(config)}
    assert tested == set(config["test_on"]) and settings.evaluations(config)
    assert {run["cohort"] for run in settings.evaluations(config)} == set(config["train_on"])


@pytest.mark.parametrize("name", [path.stem for path in FOLDER.glob("*.yaml")])
def test_small_variant_has_the_rows_the_chain_and_the_protocols_of_the_study(name: str) -> None:
    whole, small = resolved(name), resolved(f"{name}, small")
    assert set(small["methods"]) <= set(whole["methods"])
    assert name == "soop" or set(small["methods"]) == set(whole["methods"])
    assert small["pipelines"]["standard"]["base"] == whole["pipelines"]["standard"]["base"]
    assert small["evaluation"]["slices"] == whole["evaluation"]["slices"]
    assert {small["cohorts"][one]["kind"] for one in settings.used_cohorts(small)} <= {"phantom", "soop"}


@pytest.mark.parametrize("name", [path.stem for path in FOLDER.glob("*.yaml")])
def test_whole_study_has_the_published_sizes(name: str) -> None:
    config = resolved(name)
    assert config["preset"] == ("zoo" if name == "soop" else "paper")
    assert len(config["seeds"]) >= 3
