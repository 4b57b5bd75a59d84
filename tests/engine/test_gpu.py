"""The engine and every method on a GPU: same files, same noise, bfloat16, data on the device."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from madad.configuration import cards
from madad.core.io.hdf5 import Maps, Sample, write_pack
from madad.core.seeds import numpy_generator
from madad.data.anomalies.bank import Bank, Entry
from madad.data.anomalies.pairs import Pairs
from madad.engine import devices
from madad.engine.inference import infer
from madad.engine.training import train
from madad.engine.training_data import read_images
from madad.methods import registry

pytestmark = pytest.mark.gpu

DEVICE = "cuda"
SHAPE = (8, 32, 32)  # the sizes of the cards' `tiny` are for these
NAMES = cards.names()
ALL = [*NAMES, *cards.components()]


class Ball(Bank):
    """One map without a file."""

    def __init__(self) -> None:
        self.shape, self.affine = SHAPE, np.eye(4)
        self.entries = [Entry((2, 12, 12), np.ones((4, 8, 8), np.float16), "perlin", False, 0.5)]


def head(name: str) -> Sample:
    """Return an ellipsoid with texture; the first and last slice contain no brain."""
    z, y, x = np.indices(SHAPE)
    brain = ((y - 16) ** 2 / 144 + (x - 16) ** 2 / 100 < 1) & (z > 0) & (z < SHAPE[0] - 1)
    image = brain * (0.5 + 0.2 * np.sin(x / 4 + z) + 0.05 * numpy_generator(name).standard_normal(SHAPE))
    return Sample(name, "healthy", image.astype(np.float32).clip(0, 1), brain, np.zeros_like(brain))


def write(path: Path, names: list[str]) -> None:
    write_pack(path, map(head, names), affine=np.eye(4), modality="FLAIR", cohort="toy", split=path.stem)


def assembled(name: str) -> torch.nn.Module:
    """Return the method, with parts whose output depends on the image."""
    torch.manual_seed(0)

    def awaken(role: str, part: torch.nn.Module) -> None:
        for weight in part.parameters():
            torch.nn.init.normal_(weight, std=0.05)

    return registry.assemble(cards.tiny_whole(name), 0, awaken)


def identity(name: str) -> dict[str, str]:
    return {"cohort": "toy", "modality": "FLAIR", "method": name, "seed": "0"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packs of three subjects to train on and one to validate on."""
    folder = tmp_path_factory.mktemp("gpu")
    write(folder / "train.h5", ["sub-1", "sub-2", "sub-3"])
    write(folder / "validation.h5", ["sub-4"])
    return folder


@pytest.fixture(scope="module", params=ALL)
def run(folder: Path, request: pytest.FixtureRequest) -> Path:
    """Return the results of a training on the GPU; the folder is named after the method."""
    name, tiny = request.param, cards.tiny_whole(request.param)
    data = cards.shown(name, tiny["parameters"])
    train(
        assembled(name),
        train_pack=folder / "train.h5",
        validation_pack=folder / "validation.h5",
        options=tiny["training"],
        identity=identity(name),
        parts={},
        seed=0,
        run=folder / name,
        checkpoints=folder / "checkpoints" / name,
        device=DEVICE,
        kind=data["kind"],
        pairs=Pairs(Ball(), [1]) if data["pairs"] else None,
    )
    return folder / name


def stored_map(run: Path, device: str, seed: int = 0) -> np.ndarray:
    """Map (S, H, W) of the validation subject."""
    infer(
        assembled(run.name),
        model=run / "model.safetensors",
        packs=[run.parent / "validation.h5"],
        identity={**identity(run.name), "testset": "toy"},
        seed=seed,
        out=run / "maps.h5",
        device=device,
    )
    with Maps(run / "maps.h5") as maps:
        return maps.anomaly_map(0)


def test_training_ran_there(run: Path) -> None:
    record = json.loads((run / "train.json").read_text())
    assert record["device"].startswith(DEVICE)
    if cards.load(run.name)["capabilities"]["trains"]:
        assert record["peak_memory_mb"] > 1 and math.isfinite(record["best_validation_loss"])


def test_gpu_and_cpu_see_the_same_noise_and_agree(run: Path) -> None:
    if run.name in cards.components():
        pytest.skip("a component makes no maps")
    there, here, other = stored_map(run, DEVICE), stored_map(run, "cpu"), stored_map(run, "cpu", seed=1)
    # In the mean, because some maps hold a choice between two values. A GPU rounds to fewer digits.
    rounding, noise = (float(np.abs(one - here).mean() / here.mean()) for one in (there, other))
    assert rounding < (0.1 * noise if cards.load(run.name)["capabilities"]["stochastic"] else 0.005)


def test_auto_precision_is_bfloat16() -> None:
    assert devices.uses_bfloat16("auto", torch.device("cuda")) == torch.cuda.is_bf16_supported()


def test_data_live_on_the_device(folder: Path) -> None:
    slices = read_images(folder / "train.h5", torch.device("cuda", 0))
    assert slices.image.is_cuda and slices.draw(2, torch.device("cuda", 0), 0)["image"].is_cuda


def test_data_that_do_not_fit_stay_in_the_host(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("madad.engine.training_data.RESIDENT_SHARE", 0.0)
    slices = read_images(folder / "train.h5", torch.device("cuda", 0))
    assert not slices.image.is_cuda and slices.draw(2, torch.device("cuda", 0), 0)["image"].is_cuda
