"""Methods from outside the repository: found, refused, fingerprinted, and used like all others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from madad.cli.main import main
from madad.configuration import cards
from madad.core import plugins, provenance
from madad.core.errors import UserError
from madad.core.io.hdf5 import Maps
from madad.methods import registry
from tests.engine import toy

CARD = """
name: {name}
title: Blurred residual
summary: A toy.
authors: nobody
year: 2026
venue: a test
doi:
code: none
code_licence: none
track: healthy
published_scoring: null
modalities: [FLAIR]
spatial_dims: 2
capabilities: {{trains: true, reconstructs: true, stochastic: false}}
resources: {{gpu: 0, threads: 1, mem_mb: 1000, runtime_min: 5}}
requires: {{}}
parameters:
  width: {{type: integer, minimum: 1, default: 4, unit: channels, description: Width., source: ""}}
training:
  steps: {{default: 4}}
  batch_size: {{default: 2}}
  learning_rate: {{default: 1.0e-2}}
  optimiser: {{default: adam}}
  weight_decay: {{default: 0.0}}
  ema_decay: {{default: 0.5}}
  gradient_clip: {{default: 1.0}}
  validate_every: {{default: 2}}
tiny: {{parameters: {{}}, training: {{}}}}
deviations: []
"""
CODE = '''
"""A toy."""

from torch import nn

from madad.models.diffusion.residuals import residual
from madad.methods.{name}_layers import layers


class Toy(nn.Module):
    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.layers = layers(width)

    def training_loss(self, batch, generator):
        return {{"loss": (self.layers(batch["image"]) - batch["image"]).square().mean()}}

    def reconstruct(self, volume, generator):
        return self.layers(volume)

    def anomaly_map(self, volume, reconstruction, brain, generator):
        return residual(volume, reconstruction) * brain
'''
LAYERS = '''
"""What the toy is made of."""

from torch import nn


def layers(width):
    return nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.LeakyReLU(), nn.Conv2d(width, 1, 3, padding=1))
'''


def outside(folder: Path, name: str) -> Path:
    """Write a folder with one method that has two modules."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(CARD.format(name=name))
    (folder / f"{name}.py").write_text(CODE.format(name=name))
    (folder / f"{name}_layers.py").write_text(LAYERS)
    return folder


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget after each test the folders that it used."""
    monkeypatch.setenv(plugins.VARIABLE, "")


def use(*folders: Path | str) -> None:
    plugins.use([str(folder) for folder in folders], taken=cards.own_names())


def test_a_method_outside_has_a_card_a_class_and_a_fingerprint(tmp_path: Path) -> None:
    folder = outside(tmp_path / "mine", "first_toy")
    with pytest.raises(UserError, match="there is no method 'first_toy'"):
        cards.load("first_toy")
    use(folder)
    assert "first_toy" in cards.names() and cards.load("first_toy")["training"]["steps"]["type"] == "integer"
    assert not cards.load("first_toy")["capabilities"]["fits"]
    built = registry.build("first_toy", cards.tiny("first_toy")["parameters"], 0)
    assert built.reconstruct(torch.zeros(2, 1, 8, 8), torch.Generator()).shape == (2, 1, 8, 8)
    closure = provenance.import_closure((cards.module("first_toy"),))
    assert {"madad.methods.first_toy", "madad.methods.first_toy_layers", "madad.models.diffusion.residuals"} <= closure


def test_an_edit_of_either_module_changes_the_fingerprint(tmp_path: Path) -> None:
    def code() -> str:
        for cached in (provenance.fingerprint, provenance._tree, provenance._tree_hash, provenance._data_hash):
            cached.cache_clear()
        return provenance.fingerprint("madad.methods.second_toy")

    folder = outside(tmp_path / "mine", "second_toy")
    use(folder)
    first = code()
    (folder / "second_toy_layers.py").write_text(LAYERS.replace("nn.LeakyReLU()", "nn.SiLU()"))
    second = code()
    (folder / "second_toy.py").write_text(CODE.format(name="second_toy").replace(".square()", ".abs()"))
    assert len({first, second, code()}) == 3


def test_relative_folders_start_at_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside(tmp_path / "mine", "third_toy")
    monkeypatch.chdir(tmp_path)
    use("mine")
    monkeypatch.chdir("/")
    assert plugins.folders() == (tmp_path / "mine",) and "third_toy" in cards.names()


def test_the_next_configuration_forgets_the_last(tmp_path: Path) -> None:
    use(outside(tmp_path / "mine", "fourth_toy"))
    use()
    assert "fourth_toy" not in cards.names()


def test_folders_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"method_folders: .*nowhere is not a usable folder"):
        use(tmp_path / "nowhere")
    (tmp_path / "lonely").mkdir()
    (tmp_path / "lonely" / "card.yaml").write_text(CARD.format(name="card"))
    with pytest.raises(UserError, match=r"lonely holds no method; put a card <name>.yaml beside its code"):
        use(tmp_path / "lonely")


def test_names_that_are_taken_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'ddpm', as does this project"):
        use(outside(tmp_path / "mine", "ddpm"))
    with pytest.raises(UserError, match=r"'fifth_toy', as does .*one;"):
        use(outside(tmp_path / "one", "fifth_toy"), outside(tmp_path / "two", "fifth_toy"))
    outside(tmp_path / "one", "seventh_toy")
    (outside(tmp_path / "two", "eighth_toy") / "seventh_toy_layers.py").write_text(LAYERS)
    (tmp_path / "two" / "fifth_toy.py").rename(tmp_path / "two" / "ninth_toy.py")
    (tmp_path / "two" / "fifth_toy_layers.py").unlink()
    with pytest.raises(UserError, match=r"two has a module 'seventh_toy_layers', as does .*one;"):
        use(tmp_path / "one", tmp_path / "two")
    (outside(tmp_path / "three", "tenth_toy") / "registry.py").write_text(LAYERS)
    with pytest.raises(UserError, match="'registry', as does this project"):
        use(tmp_path / "three")


def test_one_folder_named_twice_is_one(tmp_path: Path) -> None:
    folder = outside(tmp_path / "mine", "eleventh_toy")
    use(folder, tmp_path / "mine" / ".." / "mine")
    assert plugins.folders() == (folder,)


@pytest.mark.parametrize("text", ["a: [1\n", "", "- a list\n"], ids=["broken", "empty", "list"])
def test_cards_that_are_no_cards_are_told_by_file(tmp_path: Path, text: str) -> None:
    card = outside(tmp_path / "mine", "broken_toy") / "broken_toy.yaml"
    card.write_text(text)
    use(card.parent)
    with pytest.raises(UserError, match=f"{card}: (cannot be read as YAML|the card is not a mapping)"):
        cards.load("broken_toy")


def test_training_and_inference_by_the_verbs(tmp_path: Path) -> None:
    use(outside(tmp_path / "mine", "sixth_toy"))
    packs = toy.packs(tmp_path)
    options = {"base": "sixth_toy", "parts": {}, "data": {"kind": "slices", "pairs": False}, **cards.tiny("sixth_toy")}
    who = ["--cohort", "toy", "--modality", "FLAIR", "--method", "sixth_toy", "--seed", "0", "--options", json.dumps(options)]
    train = ["--train", packs["train_pack"], "--validation", packs["validation_pack"], "--checkpoints", tmp_path / "c"]
    assert main(["stage", "train", *who, *map(str, train), "--run", str(tmp_path / "run"), "--device", "cpu"]) == 0
    infer = ["--model", tmp_path / "run/model.safetensors", "--packs", packs["validation_pack"], "--out", tmp_path / "maps.h5"]
    assert main(["stage", "infer", *who, "--testset", "toy", *map(str, infer), "--device", "cpu"]) == 0
    with Maps(tmp_path / "maps.h5") as maps:
        assert maps.anomaly_map(0).shape == toy.SHAPE and maps.anomaly_map(0).max() > 0


@pytest.mark.slow
def test_conformance_suite_finds_it_too(tmp_path: Path) -> None:
    folder = outside(tmp_path / "mine", "seventh_toy")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:xdist",
            "-p",
            "no:cacheprovider",
            "tests/conformance",
            "-k",
            "seventh_toy",
        ],
        cwd=provenance.ROOT,
        env={**os.environ, plugins.VARIABLE: str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stdout.count(".") > 20, done.stdout[-3000:]


def test_a_variable_that_names_no_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugins.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="nowhere is not a folder"):
        plugins.folders()
