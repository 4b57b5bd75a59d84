"""One writer a checkpoint folder.

A file lock of the system, which ends with its process however that ends, and for network file systems that do not pass
locks on between machines a heartbeat: the holder touches the lock file every few seconds.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from madad.core.errors import UserError
from madad.core.logs import say

BEAT_S = 10.0
# A lock file of another machine that is not touched for this long belongs to a dead process.
DEAD_AFTER_S = 35.0


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made if need be. An empty folder is removed at the end.

    Raises:
        UserError: another process holds it; the message names its machine and number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lock"
    stream = _acquire(path)
    stopped = threading.Event()
    beats = threading.Thread(target=_beat, args=(path, stopped), daemon=True)
    beats.start()
    try:
        yield
    finally:
        stopped.set()
        beats.join()
        path.unlink(missing_ok=True)
        stream.close()
        with suppress(OSError):  # it holds a checkpoint
            folder.rmdir()


def _acquire(path: Path) -> TextIO:
    while True:
        stream = open(path, "a+")  # noqa: SIM115  (open as long as the lock is held)
        trusted = _lock(stream, path)
        if _is_current(stream, path):
            break
        stream.close()  # the last holder has just removed it
    holder = _holder(stream)
    if holder and (not trusted or holder.get("host") != socket.gethostname()):
        _wait_for_death(path, holder)
    stream.seek(0)
    stream.truncate()
    json.dump({"host": socket.gethostname(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}, stream)
    stream.flush()
    return stream


def _lock(stream: TextIO, path: Path) -> bool:
    """Take the system's lock. False where the file system has none."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _refusal(path, _holder(stream)) from None
    except OSError:
        return False
    return True


def _is_current(stream: TextIO, path: Path) -> bool:
    try:
        return os.fstat(stream.fileno()).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _holder(stream: TextIO) -> dict:
    stream.seek(0)
    try:
        return dict(json.load(stream))
    except (ValueError, TypeError):
        return {}


def _wait_for_death(path: Path, holder: dict) -> None:
    """Return when the holder on another machine shows no sign of life. Clocks of two machines are never compared."""
    say(
        f"{path}: held on {holder.get('host')} by process {holder.get('pid')}; "
        f"waiting up to {DEAD_AFTER_S:.0f} s for a sign of life"
    )
    before, end = path.stat().st_mtime_ns, time.monotonic() + DEAD_AFTER_S
    while time.monotonic() < end:
        if path.stat().st_mtime_ns != before:
            raise _refusal(path, holder)
        time.sleep(0.2)


def _refusal(path: Path, holder: dict) -> UserError:
    return UserError(
        f"{path.parent}: process {holder.get('pid', 'unknown')} on {holder.get('host', 'an unknown machine')} "
        f"has been training here since {holder.get('since', 'an unknown time')}; wait for it or end it, then run again"
    )


def _beat(path: Path, stopped: threading.Event) -> None:
    while not stopped.wait(BEAT_S):
        with suppress(OSError):
            os.utime(path)
