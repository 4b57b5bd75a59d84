"""A full disk, which `/dev/full` is, ends every writer with the system's error, and leaves nothing under the name of a result."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from madad.cli.main import main
from madad.core.errors import disk_is_full
from madad.core.io.hdf5 import Prediction, Sample, write_maps, write_pack
from madad.core.io.manifest import write_table
from madad.core.provenance import write_json
from madad.engine import model_files
from madad.engine.checkpoints import save_checkpoint

FULL = Path("/dev/full")
ARRAY = np.random.default_rng(0).random((8, 32, 32), np.float32)
SAMPLE = Sample("sub-1", "healthy", ARRAY, ARRAY > 0, ARRAY < 0)

pytestmark = pytest.mark.skipif(not FULL.is_char_device(), reason="the system has no /dev/full")


WRITERS: dict[str, Callable[[Path], object]] = {
    "table.tsv": lambda path: write_table(path, [{"subject": "sub-1"}], ("subject",)),
    "facts.json": lambda path: write_json(path, {"a": 1}),
    "pack.h5": lambda path: write_pack(path, iter([SAMPLE] * 9), affine=np.eye(4), modality="FLAIR", cohort="c", split="test"),
    "maps.h5": lambda path: write_maps(path, iter([Prediction("sub-1", "test", ARRAY, ARRAY, 0.0, 0.0)]), {}),
    "checkpoint.pt": lambda path: save_checkpoint(path.parent, {"weight": torch.zeros(9999)}, "f00d"),
}


def fill(path: Path) -> Path:
    """Let what is written beside a path before it is complete go to a full disk."""
    path.with_name(f".{os.getpid()}-{path.name}").symlink_to(FULL)
    return path


@pytest.mark.parametrize("name", WRITERS)
def test_nothing_half_written_has_the_name_of_a_result(tmp_path: Path, name: str) -> None:
    with pytest.raises(Exception) as caught:
        WRITERS[name](fill(tmp_path / name))
    assert disk_is_full(caught.value), repr(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", WRITERS)
def test_what_was_there_before_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"from the last run")
    with pytest.raises(Exception):  # noqa: B017
        WRITERS[name](fill(tmp_path / name))
    assert (tmp_path / name).read_bytes() == b"from the last run"


def test_a_model_is_complete_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(tensors: dict, path: Path, **options: object) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(model_files, "save_file", half)  # which replaces the link by a file of its own
    with pytest.raises(SafetensorError) as caught:
        model_files.save_model(tmp_path / "model.safetensors", {"weight": torch.zeros(9)}, {})
    assert disk_is_full(caught.value) and list(tmp_path.iterdir()) == []


def test_a_command_says_so_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = fill(tmp_path / "out.json")
    assert main(["stage", "provenance", "--options", "{}", "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: the disk of ") and "is full" in line and "free some space and run again" in line
    assert not out.exists()


def test_other_errors_of_a_disk_are_not_called_that() -> None:
    assert disk_is_full(OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)))
    assert not disk_is_full(OSError(errno.EIO, os.strerror(errno.EIO)))
