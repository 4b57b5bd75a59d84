"""The disk space of a run is forecast before it starts, close to the truth, with a warning if there is not enough."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import yaml

from madad.configuration import disk_forecast
from madad.configuration import settings as configuration
from madad.core.io.hdf5 import Prediction, Sample, write_maps, write_pack
from madad.core.io.manifest import write_table
from madad.data.template import template_on_grid
from madad.methods import registry

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ("subject", "session", "split", "group", "modality")


def resolved(**changes: object) -> dict:
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    return configuration.resolve({**default, "preset": "smoke", **changes})


@pytest.mark.parametrize("spacing_mm", [2.0, 3.0, 5.0])
def test_grid_is_that_of_the_template(spacing_mm: float) -> None:
    brain, grid = disk_forecast.voxels({"spacing_mm": spacing_mm})
    template = template_on_grid(spacing_mm)
    assert grid == template.brain.array.size
    assert brain == pytest.approx(template.brain.array.sum(), rel=0.05)


def test_packs_and_maps_take_the_bytes_assumed(tmp_path: Path) -> None:
    template = template_on_grid(4.0)
    brain = template.brain.array.transpose(2, 1, 0) > 0
    rng = np.random.default_rng(0)
    image = np.where(brain, rng.random(brain.shape), 0).astype(np.float32)
    samples = [Sample(f"sub-{number}", "healthy", image, brain, np.zeros_like(brain)) for number in range(4)]
    write_pack(tmp_path / "p.h5", iter(samples), affine=np.eye(4), modality="FLAIR", cohort="c", split="test")
    assert size(tmp_path / "p.h5") == pytest.approx(4 * disk_forecast.BYTES["pack"] * brain.sum(), rel=0.3)

    noise = rng.random(brain.shape).astype(np.float32)
    found = [Prediction(sample.name, "test", image, noise, 1.0, 1.0) for sample in samples]
    write_maps(tmp_path / "m.h5", iter(found), {})
    assumed = 4 * (disk_forecast.BYTES["map"] * brain.sum() + disk_forecast.BYTES["reconstruction"] * brain.size)
    assert size(tmp_path / "m.h5") == pytest.approx(assumed, rel=0.3)


@pytest.mark.parametrize("preset", ["smoke", "quickstart"])
def test_models_are_guessed_from_their_widths(preset: str) -> None:
    config = resolved(preset=preset, methods=["ddpm", "mhd", "ldm", "inpainting", "vae3d"])
    guessed = sum(disk_forecast.model_bytes(name, config) for name in config["methods"])
    built = [registry.assemble(entry["options"]["FLAIR"], 0) for entry in config["methods"].values()]
    true = sum(tensor.numel() * tensor.element_size() for method in built for tensor in method.state_dict().values())
    assert 1 / 1.7 < guessed / true < 1.7


def test_a_model_of_unknown_size_is_named_and_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, load = resolved(methods=["dae"]), disk_forecast.cards.load
    assert disk_forecast.unmeasured(config) == [] and "model_mb" not in disk_forecast.message(config, tmp_path)[0]
    own = {key: value for key, value in load("dae").items() if key != "model_mb"}
    monkeypatch.setattr(disk_forecast.cards, "load", lambda base: own if base == "dae" else load(base))
    assert disk_forecast.estimate(config, tmp_path)["models"] == 0
    assert "; models of dae come on top (no model_mb in the card)" in disk_forecast.message(config, tmp_path)[0]


def test_more_seeds_take_more_maps_and_no_more_packs() -> None:
    one, three = (disk_forecast.estimate(resolved(methods=["ddpm"], seeds=seeds)) for seeds in ([0], [0, 1, 2]))
    assert three["maps"] == pytest.approx(3 * one["maps"]) and three["packs"] == one["packs"]


def test_implanted_and_corrupted_sets_count() -> None:
    plain, implanted, corrupted = (
        disk_forecast.estimate(resolved(methods=["intensity"], test_on=sets))
        for sets in (
            ["phantom"],
            ["phantom", "phantom-implanted"],
            ["phantom", "phantom-implanted", "phantom-corrupted"],
        )
    )
    for part in ("packs", "maps"):
        assert plain[part] < implanted[part] < corrupted[part]


def test_manifest_is_believed_before_fractions(tmp_path: Path) -> None:
    split = {"train": 0.4, "validation": 0.2, "test": 0.4}
    config = resolved(cohorts={"phantom": {"kind": "phantom", "healthy": 5, "patients": 2, "split": split}}, test_on=["phantom"])
    dealt = disk_forecast.images("phantom", config, tmp_path)
    assert dealt == {
        ("train", "healthy"): 2,
        ("validation", "healthy"): 1,
        ("validation", "patient"): 1,
        ("test", "healthy"): 2,
        ("test", "patient"): 1,
    }
    rows = [dict(zip(MANIFEST, (f"sub-{n}", "", "test", "patient", "FLAIR"), strict=True)) for n in range(9)]
    write_table(tmp_path / "cohorts/phantom/manifest.tsv", rows, MANIFEST)
    assert disk_forecast.images("phantom", config, tmp_path) == {("test", "patient"): 9}


def test_too_little_room_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    results = tmp_path / "results"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9e15, 0, 9e15))
    said, fits = disk_forecast.message(resolved(), results)
    assert fits and "9000 TB are free" in said and "FIT" not in said
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9e15, 0, 1e6))
    said, fits = disk_forecast.message(resolved(), results)
    assert not fits and "WILL NOT FIT" in said and "--directory" in said and "1.0 MB are free" in said


def test_what_is_there_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9e15, 0, 1e6))
    needed = disk_forecast.estimate(resolved(), tmp_path)
    places = {
        "cohorts": "cohorts/phantom/bids/a.nii.gz",
        "preprocessed": "preprocessed/phantom/a.nii.gz",
        "packs": "packs/phantom/FLAIR/test.h5",
        "models": "runs/phantom/FLAIR/ddpm/seed0/model.safetensors",
        "maps": "runs/phantom/FLAIR/ddpm/seed0/eval/phantom/maps.h5",
        "report": "tables/metrics.csv",
    }
    for part, place in places.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
        os.truncate(tmp_path / place, int(needed[part]) + 1)
    said, fits = disk_forecast.message(resolved(), tmp_path)
    assert fits, said


def size(path: Path) -> int:
    return path.stat().st_size
