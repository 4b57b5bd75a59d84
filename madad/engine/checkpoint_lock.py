"""One training process per checkpoint folder.

A lock of the operating system, which ends with its process however that ends; and a heartbeat for network file systems that do
not pass locks on between machines: the holder touches the lock file every few seconds. filelock's own heartbeat
(`SoftFileLease`) takes the place of the system's lock, so that a suspended process would lose its folder; here it is added.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from madad.core.errors import UserError
from madad.core.logs import say

BEAT_S = 10.0
# A lock file of another machine that is not touched for this long belongs to a dead process.
DEAD_AFTER_S = 35.0
# Long enough to try again if the last holder removes the file while it is being locked.
PATIENCE_S = 0.2


@contextmanager
def exclusive(folder: Path) -> Generator[None]:
    """Hold a folder, which is created if need be. An empty folder is removed at the end.

    Raises:
        UserError: another process holds it; the message names its machine and number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lock"
    lock = _acquire(path)
    stopped = threading.Event()
    beats = threading.Thread(target=_beat, args=(path, stopped), daemon=True)
    beats.start()
    try:
        yield
    finally:
        stopped.set()
        beats.join()
        path.unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):  # it holds a checkpoint
            folder.rmdir()


def _acquire(path: Path) -> FileLock:
    """Lock a file and write into it who holds it."""
    lock, trusted = FileLock(path, timeout=PATIENCE_S, fallback_to_soft=False), True
    try:
        lock.acquire()
    except Timeout:
        raise _refusal(path, _holder(path)) from None
    except OSError:  # the file system has no locks
        trusted = False
    holder = _holder(path)
    if holder and (not trusted or holder.get("host") != socket.gethostname()):
        try:
            _wait_for_death(path, holder)
        except FileNotFoundError:  # the holder has just finished
            lock.release()
            return _acquire(path)
    claim = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    path.write_text(json.dumps(claim))
    return lock


def _holder(path: Path) -> dict[str, object]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def _wait_for_death(path: Path, holder: dict[str, object]) -> None:
    """Return if the holder on another machine shows no sign of life. Clocks of two machines are never compared."""
    say(
        f"{path}: held on {holder.get('host')} by process {holder.get('pid')}; "
        f"waiting up to {DEAD_AFTER_S:.0f} s for a sign of life"
    )
    before, end = path.stat().st_mtime_ns, time.monotonic() + DEAD_AFTER_S
    while time.monotonic() < end:
        if path.stat().st_mtime_ns != before:
            raise _refusal(path, holder)
        time.sleep(0.2)


def _refusal(path: Path, holder: dict[str, object]) -> UserError:
    return UserError(
        f"{path.parent}: process {holder.get('pid', 'unknown')} on {holder.get('host', 'an unknown machine')} "
        f"has been training here since {holder.get('since', 'an unknown time')}; wait for it or end it, then run again"
    )


def _beat(path: Path, stopped: threading.Event) -> None:
    while not stopped.wait(BEAT_S):
        with suppress(OSError):
            os.utime(path)
