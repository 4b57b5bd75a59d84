"""The files of studies/: each resolves, and its small variant keeps what makes it the study."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
import yaml

from madad.configuration import cards, schema, settings
from madad.configuration.schema import Options
from tests.paper_studies import FOLDER, ROOT, STUDIES, places

# Floors beside random, intensity and atlas_z; methods for volumes; one that needs slices labelled as ill to train on.
NOT_ON_SLICES = {"constant", "edge_distance", "svae", "vae3d", "dif_fuse"}
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


def test_every_file_of_a_study_is_tested() -> None:
    assert {file for files in STUDIES.values() for file in files} == set(FOLDER.rglob("*.yaml"))


def test_short_study_of_real_strokes_has_every_method_that_works_on_single_slices() -> None:
    config = resolved("soop, every method")
    assert config["methods"].keys() == resolved("soop")["methods"].keys() and config["seeds"] == [0]
    assert NOT_ON_SLICES.isdisjoint(config["methods"])
    compared = {entry["base"] for entry in config["methods"].values()}
    assert set(cards.own_names()) - set(cards.components()) - compared == NOT_ON_SLICES


@pytest.mark.parametrize("name", [path.stem for path in FOLDER.glob("*.yaml")])
def test_whole_study_has_the_published_sizes(name: str) -> None:
    config = resolved(name)
    assert config["preset"] == ("zoo" if name == "soop" else "paper")
    assert len(config["seeds"]) >= 3
