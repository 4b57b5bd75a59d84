"""The checkpoint file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from madad.engine.checkpoints import NAME, load_checkpoint, remove_checkpoint, save_checkpoint

STATE = {"weights": {"w": torch.arange(3.0)}, "step": 7, "history": [{"loss": 0.1 + 0.2}], "best": {"loss": float("inf")}}


def test_round_trip_keeps_every_bit(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, STATE, "abc")
    state = load_checkpoint(tmp_path, "abc")
    assert torch.equal(state.pop("weights")["w"], STATE["weights"]["w"])
    assert state == {key: value for key, value in STATE.items() if key != "weights"}


def test_nothing_to_resume(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, "abc") is None


def test_other_fingerprint(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    save_checkpoint(tmp_path, STATE, "abc")
    assert load_checkpoint(tmp_path, "def") is None
    assert "abc, not def" in capsys.readouterr().err


@pytest.mark.parametrize("keep", [0, 100, -10])
def test_truncated(tmp_path: Path, capsys: pytest.CaptureFixture, keep: int) -> None:
    save_checkpoint(tmp_path, STATE, "abc")
    (tmp_path / NAME).write_bytes((tmp_path / NAME).read_bytes()[:keep])
    assert load_checkpoint(tmp_path, "abc") is None
    assert "damaged" in capsys.readouterr().err


def test_failed_write_keeps_the_old_one(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, STATE, "abc")
    with pytest.raises(AttributeError):
        save_checkpoint(tmp_path, {"cannot be pickled": lambda: None}, "abc")
    assert load_checkpoint(tmp_path, "abc")["step"] == 7
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_remove(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, STATE, "abc")
    for _ in range(2):
        remove_checkpoint(tmp_path)
    assert list(tmp_path.iterdir()) == []
