"""A process that has the libraries of light jobs loaded, and becomes such a job by a fork (`madad.core.job_client`).

    python -m madad.cli.job_server ADDRESS END

Snakemake's process starts it before the first job of a run, and it ends with that process: END is the number of a pipe that is
closed then. ADDRESS names an abstract socket of Linux, which leaves no file.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from madad.core import job_client

# What light jobs load; everything else a job loads by itself.
LIBRARIES = (
    "numpy",
    "scipy.ndimage",
    "scipy.sparse.csgraph",
    "scipy.spatial",
    "scipy.stats",
    "h5py",
    "nibabel",
    "pandas",
    "matplotlib.pyplot",
    "seaborn",
    "madad.cli.main",
    "madad.evaluation.protocol.run",
    "madad.reporting.layout.style",
)


class Job(NamedTuple):
    """What a forked process is to do."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    files: list[int]


class Server:
    """Forks a process for every job, passes its exit status on, and ends it when the one who asked has ended."""

    def __init__(self, address: str, end: int, libraries: Sequence[str] = LIBRARIES) -> None:
        self._libraries, self._loaded = libraries, False
        self._selector = selectors.DefaultSelector()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind("\0" + address)
        self._listening.listen(64)
        self._running: dict[int, int] = {}  # processes by the file that tells of their end
        self._watch(self._listening, self._accept)
        self._watch(end, None)

    def run(self) -> Job | None:
        """Return None at the end of the run, and in every forked process its job."""
        while True:
            events = [key.data for key, _ in self._selector.select()]
            if None in events:
                self._stop()
                return None
            for do in events:
                job = do()
                if job is not None:
                    return job

    def _stop(self) -> None:
        for process in self._running.values():
            os.kill(process, signal.SIGTERM)

    def _watch(self, file: Any, do: Callable[[], Job | None] | None) -> None:
        self._selector.register(file, selectors.EVENT_READ, do)

    def _accept(self) -> Job | None:
        connection, _ = self._listening.accept()
        try:
            known = job_client.user_of(connection) == os.getuid()
            request, files = job_client.receive_with_files(connection, 3) if known else (None, [])
        except (OSError, ValueError):
            request, files = None, []
        if request is None or request["needs"] != job_client.conditions():
            _close(*files)
            connection.close()
            return None
        self._load()
        process = os.fork()
        if process == 0:
            self._leave(connection)
            return Job(request["arguments"], request["folder"], request["environment"], files)
        _close(*files)
        self._follow(connection, process)
        return None

    def _load(self) -> None:
        """Load the libraries, once there is something to do for them."""
        if not self._loaded:
            for name in self._libraries:
                importlib.import_module(name)
            gc.collect()
            gc.freeze()  # so that a collection in a forked process does not write to, and thereby copy, all that it shares
            self._loaded = True

    def _leave(self, connection: socket.socket) -> None:
        """Close what a forked process has no use for."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            else:
                os.close(key.fd)
        connection.close()
        self._selector.close()

    def _follow(self, connection: socket.socket, process: int) -> None:
        """Tell the one who asked which process it is, and later how it has ended; end it when he goes."""
        ended = os.pidfd_open(process)
        self._running[ended] = process

        def finish() -> None:
            _, status = os.waitpid(process, 0)
            with contextlib.suppress(OSError):
                job_client.send(connection, os.waitstatus_to_exitcode(status))
            for file in (ended, connection):
                with contextlib.suppress(KeyError):
                    self._selector.unregister(file)
            del self._running[ended]
            os.close(ended)
            connection.close()

        def stop() -> None:
            if ended in self._running:  # both may end at one time
                self._selector.unregister(connection)
                os.kill(process, signal.SIGKILL)

        self._watch(ended, finish)
        self._watch(connection, stop)
        with contextlib.suppress(OSError):
            job_client.send(connection, process)


def _close(*files: int) -> None:
    for file in files:
        os.close(file)


def become(job: Job) -> int:
    """Do what a process of its own would do, and return its exit status."""
    for number, file in enumerate(job.files):
        os.dup2(file, number)
    _close(*job.files)
    os.chdir(job.folder)
    os.environ.clear()
    os.environ.update(job.environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["madad", *job.arguments]
    from madad.cli.main import main

    return main(job.arguments)


def main(arguments: Sequence[str]) -> int:
    """Serve until the run ends."""
    address, end = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the jobs and Snakemake, whose end is the end of this
    job = Server(address, int(end)).run()
    return 0 if job is None else become(job)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
