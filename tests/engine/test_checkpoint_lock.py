"""One training process per checkpoint folder. Killed and living holders of this machine are tested in test_resume."""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from madad.core.errors import UserError
from madad.engine import checkpoint_lock

OTHER = {"host": "node17", "pid": 4242, "since": "2026-01-01 00:00:00"}


def leave_behind(folder: Path) -> Path:
    folder.mkdir()
    (folder / "lock").write_text(json.dumps(OTHER))
    return folder / "lock"


def test_folder_is_made_and_removed(tmp_path: Path) -> None:
    with checkpoint_lock.exclusive(tmp_path / "a" / "b"):
        assert json.loads((tmp_path / "a" / "b" / "lock").read_text())["pid"] == os.getpid()
    assert not (tmp_path / "a" / "b").exists()


def test_checkpoint_keeps_the_folder(tmp_path: Path) -> None:
    with checkpoint_lock.exclusive(tmp_path / "a"):
        (tmp_path / "a" / "checkpoint.pt").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["checkpoint.pt"]


def test_second_one_is_told_who_holds_it(tmp_path: Path) -> None:
    with (
        checkpoint_lock.exclusive(tmp_path),
        pytest.raises(UserError, match=rf"process {os.getpid()} on .* wait for it or end it"),
    ):
        checkpoint_lock._acquire(tmp_path / "lock")


def test_error_inside_frees_it(tmp_path: Path) -> None:
    with pytest.raises(KeyError), checkpoint_lock.exclusive(tmp_path / "a"):
        raise KeyError
    with checkpoint_lock.exclusive(tmp_path / "a"):
        pass


def test_dead_holder_on_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_lock, "DEAD_AFTER_S", 0.3)
    leave_behind(tmp_path / "a")
    with checkpoint_lock.exclusive(tmp_path / "a"):
        assert json.loads((tmp_path / "a" / "lock").read_text())["pid"] == os.getpid()


def test_living_holder_on_another_machine(tmp_path: Path) -> None:
    path = leave_behind(tmp_path / "a")
    refused = threading.Event()

    def beat() -> None:
        while not refused.wait(0.05):
            os.utime(path, ns=(time.time_ns(), time.time_ns()))

    beats = threading.Thread(target=beat)
    beats.start()
    try:
        with pytest.raises(UserError, match="process 4242 on node17 has been training here since 2026-01-01"):
            checkpoint_lock._acquire(path)
    finally:
        refused.set()
        beats.join()


def test_holder_on_another_machine_that_finishes(tmp_path: Path) -> None:
    path = leave_behind(tmp_path / "a")
    finishing = threading.Timer(0.1, path.unlink)
    finishing.start()
    with checkpoint_lock.exclusive(tmp_path / "a"):
        finishing.join()
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_file_system_without_locks_has_the_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(checkpoint_lock.FileLock, "acquire", refuse)
    monkeypatch.setattr(checkpoint_lock, "BEAT_S", 0.02)
    with checkpoint_lock.exclusive(tmp_path / "a"), pytest.raises(UserError, match=f"process {os.getpid()} on"):
        checkpoint_lock._acquire(tmp_path / "a" / "lock")
    path = leave_behind(tmp_path / "b")
    path.write_text(json.dumps({**OTHER, "host": socket.gethostname()}))
    monkeypatch.setattr(checkpoint_lock, "DEAD_AFTER_S", 0.3)
    with checkpoint_lock.exclusive(tmp_path / "b"):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_heart_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_lock, "BEAT_S", 0.02)
    with checkpoint_lock.exclusive(tmp_path):
        os.utime(tmp_path / "lock", (1, 1))
        end = time.monotonic() + 10
        while (tmp_path / "lock").stat().st_mtime < 2:
            assert time.monotonic() < end
            time.sleep(0.01)
