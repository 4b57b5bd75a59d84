"""Weights that a method reuses from one that was trained in the same way."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from madad.core.errors import UserError
from madad.engine import weight_reuse
from madad.engine.model_files import read_model
from madad.engine.training import train
from tests.engine import toy

VARIANT = {**toy.IDENTITY, "method": "variant"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    run = tmp_path / "source"
    common = {"options": toy.OPTIONS, "identity": toy.IDENTITY, "parts": {}, "seed": 0, "device": "cpu"}
    train(toy.denoiser(), **toy.packs(tmp_path), **common, run=run, checkpoints=tmp_path / "checkpoints")
    return run


def test_files_are_those_of_the_training_under_another_name(source: Path, tmp_path: Path) -> None:
    run = tmp_path / "variant"
    weight_reuse.reuse(source, run, VARIANT)
    (metadata, weights), (original, same) = (read_model(folder / "model.safetensors") for folder in (run, source))
    assert metadata == {**original, "method": "variant"}
    assert weights.keys() == same.keys() and all(torch.equal(value, same[key]) for key, value in weights.items())
    assert len(list(csv.DictReader((run / "history.csv").open()))) == 3
    assert (run / "history.csv").read_bytes() == (source / "history.csv").read_bytes()
    record, trained = (json.loads((folder / "train.json").read_text()) for folder in (run, source))
    assert record == {**trained, "identity": VARIANT, "weights_from": "denoiser"}


@pytest.mark.parametrize(("key", "value"), [("cohort", "other"), ("modality", "T1w"), ("seed", "1")])
def test_a_run_of_something_else_is_refused(source: Path, tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(UserError, match=f"source: a model of {key} .*, {value} is needed"):
        weight_reuse.reuse(source, tmp_path / "variant", {**VARIANT, key: value})
    assert not (tmp_path / "variant").exists()


@pytest.mark.parametrize("name", ["train.json", "history.csv"])
def test_an_incomplete_run_is_refused(source: Path, tmp_path: Path, name: str) -> None:
    (source / name).unlink()
    with pytest.raises(UserError, match=f"source: the run has no {name}; train it again"):
        weight_reuse.reuse(source, tmp_path / "variant", VARIANT)
    assert not (tmp_path / "variant").exists()


def test_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such model; train it first"):
        weight_reuse.reuse(tmp_path / "nothing", tmp_path / "variant", VARIANT)
