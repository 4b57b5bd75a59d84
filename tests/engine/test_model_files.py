"""The model file and its refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from madad.core.errors import UserError
from madad.engine.model_files import load_model, read_metadata, save_model
from tests.engine import toy

METADATA = {"method": "denoiser", "parameters": {"width": 4}, "modality": "FLAIR", "image_shape": [6, 16, 16]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_model(tmp_path / "model.safetensors", toy.denoiser(1).state_dict(), METADATA)
    return tmp_path / "model.safetensors"


def test_round_trip(path: Path) -> None:
    method = toy.denoiser(2)
    assert load_model(method, path, METADATA) == METADATA
    assert torch.equal(method.layers[0].weight, toy.denoiser(1).layers[0].weight)


def test_colleagues_may_read_it_like_any_other_file(path: Path) -> None:
    path.with_name("another").touch()
    assert path.stat().st_mode == path.with_name("another").stat().st_mode


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ({"method": "ddpm"}, "method is 'denoiser', not 'ddpm'"),
        ({"modality": "T1w"}, "modality is 'FLAIR', not 'T1w'"),
        ({"image_shape": [6, 8, 8]}, r"image shape is \[6, 16, 16\]"),
        ({"parameters": {"width": 8}}, "parameters differ: width is 4, not 8"),
    ],
)
def test_model_of_something_else(path: Path, expected: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        load_model(toy.denoiser(), path, expected)


def test_weights_of_something_else(path: Path) -> None:
    with pytest.raises(UserError, match="the weights do not fit"):
        load_model(toy.Denoiser(width=8), path, {})


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such model; train it first"):
        read_metadata(tmp_path / "none.safetensors")


@pytest.mark.parametrize("content", [b"", b"\x10\0\0\0\0\0\0\0{"])
def test_damaged_model(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="not a readable model"):
        read_metadata(tmp_path / "model.safetensors")
