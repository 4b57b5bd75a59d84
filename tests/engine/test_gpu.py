"""The engine on a GPU: same files, same noise, bfloat16, data on the device."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from madad import cards
from madad.engine import devices
from madad.engine.data import read_images
from madad.engine.inference import infer
from madad.engine.training import train
from madad.methods import registry
from madad.stores import Maps
from tests.engine import toy

pytestmark = pytest.mark.gpu
IDENTITY = {"cohort": "toy", "modality": "FLAIR", "method": "ddpm", "seed": "0"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpu")
    packs = toy.packs(folder)
    resolved = cards.tiny("ddpm")
    train(
        registry.build("ddpm", resolved["parameters"], 0),
        **packs,
        options=resolved["training"],
        identity=IDENTITY,
        parts={},
        seed=0,
        run=folder / "run",
        checkpoints=folder / "checkpoints",
        device="cuda",
    )
    return folder


def maps(folder: Path, device: str) -> np.ndarray:
    infer(
        registry.build("ddpm", cards.tiny("ddpm")["parameters"], 0),
        model=folder / "run" / "model.safetensors",
        packs=[folder / "validation.h5"],
        identity={**IDENTITY, "testset": "toy"},
        seed=0,
        out=folder / f"{device}.h5",
        device=device,
    )
    with Maps(folder / f"{device}.h5") as stored:
        return stored.anomaly_map(0)


def test_training_ran_there(folder: Path) -> None:
    record = json.loads((folder / "run" / "train.json").read_text())
    assert record["device"].startswith("cuda") and record["peak_memory_mb"] > 1
    assert record["best_validation_loss"] > 0


def test_auto_precision_is_bfloat16() -> None:
    expected = "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    assert devices.precision("auto", torch.device("cuda")) == expected


def test_data_live_on_the_device(folder: Path) -> None:
    slices = read_images(folder / "train.h5", torch.device("cuda", 0))
    assert slices.image.is_cuda and slices.draw(2, torch.device("cuda", 0), 0)["image"].is_cuda


def test_data_that_do_not_fit_stay_in_the_host(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("madad.engine.data.RESIDENT_SHARE", 0.0)
    slices = read_images(folder / "train.h5", torch.device("cuda", 0))
    assert not slices.image.is_cuda and slices.draw(2, torch.device("cuda", 0), 0)["image"].is_cuda


def test_gpu_and_cpu_see_the_same_noise_and_agree(folder: Path) -> None:
    assert np.allclose(maps(folder, "cuda"), maps(folder, "cpu"), atol=5e-3)
