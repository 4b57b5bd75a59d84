"""A job's side of the process that has the libraries loaded already (`madad.cli.job_server`).

A run of some hundred jobs would load numpy, pandas and matplotlib some hundred times. A job whose step is listed here asks a
process of the run to become it instead, by a fork. Where there is none, or it does not fit, the job loads what it needs itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

# Names the socket of the process, and the word that its jobs know, for the jobs of a run.
VARIABLE = "MADAD_JOB_SERVER"
# Steps that spend their time on loading libraries, and that no one measures from outside: their memory and time are not those of
# the process that Snakemake knows. Torch is in none of them.
STEPS = {
    "ceilings",
    "corrupt",
    "deliver",
    "evaluate",
    "export",
    "export-masks",
    "intensity",
    "manifest",
    "map-elsewhere",
    "pack",
    "provenance",
    "record-elsewhere",
    "reuse",
    "select",
    "verdicts",
}
LENGTH = struct.Struct("!q")
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def is_possible() -> bool:
    """Return whether the system has what the process needs: Linux 5.3 or newer, whatever Python was built for."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def conditions() -> list[str]:
    """Return what a process and its jobs must have in common, because a fork takes it from the process.

    These are interpreter, code, threads of libraries, container and limits, cores, priority, and permissions of new files.
    """
    status = Path("/proc/self/status").read_text()
    return [
        sys.executable,
        str(Path(__file__).resolve().parents[1]),
        os.environ.get("OMP_NUM_THREADS", ""),
        Path("/proc/self/cgroup").read_text(),
        os.readlink("/proc/self/ns/mnt"),
        str(sorted(os.sched_getaffinity(0))),
        str(os.getpriority(os.PRIO_PROCESS, 0)),
        *(line for line in status.splitlines() if line.startswith("Umask")),
    ]


def place_of(variable: str) -> tuple[str, str]:
    """Return the address of the socket and the word from the text of the variable."""
    address, _, word = variable.partition(":")
    return address, word


def handed_over(arguments: Sequence[str]) -> int | None:
    """Let the process of the run carry out a step, and return its exit status.

    Args:
        arguments: of the command line, without the program.

    Returns:
        None where this process must do it: another command or step, no such process, or one that does not fit.
    """
    address, word = place_of(os.environ.get(VARIABLE, ""))
    if not address or len(arguments) < 2 or arguments[0] != "stage" or arguments[1] not in STEPS:
        return None
    request = {
        "arguments": list(arguments),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "ignored": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        "word": word,
    }
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect("\0" + address)
            if user_of(connection) != os.getuid():
                return None
            send(connection, request | {"needs": conditions()}, [0, 1, 2])
            process = receive(connection)
        except OSError:
            return None
        return None if process is None else _awaited(connection, process)


def _awaited(connection: socket.socket, process: int) -> int:
    """Return the exit status of the process that does the work, and pass signals on to it until it ends."""

    def pass_on(received: int, _: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, received)

    for number in PASSED_ON:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, pass_on)
    status = receive(connection)
    if status is None:
        sys.stderr.write(f"error: the process that was to do this step ({' '.join(sys.argv[1:3])}) has ended; run again\n")
        return 1
    if status < 0:
        _end_by(-status)
    return status


def _end_by(number: int) -> NoReturn:
    """End as the process that did the work: by a signal."""
    with contextlib.suppress(OSError):  # SIGKILL has no handler
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    raise SystemExit(128 + number)


def user_of(connection: socket.socket) -> int:
    """Return the number of the user at the other end; a socket without a file has no permissions."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[1]


def send(connection: socket.socket, message: Any, files: Sequence[int] = ()) -> None:
    """Send something that JSON can hold, and open files with it."""
    text = json.dumps(message).encode()
    if files:
        socket.send_fds(connection, [LENGTH.pack(len(text))], files)
    else:
        connection.sendall(LENGTH.pack(len(text)))
    connection.sendall(text)


def receive(connection: socket.socket) -> Any:
    """Return what was sent, or None at the end of the connection."""
    head = _exactly(connection, LENGTH.size)
    return None if head is None else _loaded(_exactly(connection, LENGTH.unpack(head)[0]))


def receive_with_files(connection: socket.socket, number: int) -> tuple[Any, list[int]]:
    """Return what was sent with open files, and those; None and none at the end of the connection."""
    head, files, *_ = socket.recv_fds(connection, LENGTH.size, number)
    if len(head) < LENGTH.size:
        return None, list(files)
    return _loaded(_exactly(connection, LENGTH.unpack(head)[0])), list(files)


def _loaded(text: bytes | None) -> Any:
    return None if text is None else json.loads(text)


def _exactly(connection: socket.socket, number: int) -> bytes | None:
    parts: list[bytes] = []
    while number:
        try:
            part = connection.recv(min(number, 1 << 20))
        except ConnectionResetError:
            return None
        if not part:
            return None
        parts.append(part)
        number -= len(part)
    return b"".join(parts)
