"""A process that has the libraries of light jobs loaded, and becomes such a job by a fork (`madad.core.job_client`).

    python -m madad.cli.job_server END

Snakemake's process starts it before the first job of a run, and it ends with that process: END is the number of a pipe that is
closed then. The variable that names the socket to the jobs names it here as well, with the word that they must know.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hmac
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

# Of prctl(2): the signal that a process gets when its parent ends.
DEATH_SIGNAL = 1


class Job(NamedTuple):
    """What a forked process is to do: arguments, folder, environment, whether it ignores Ctrl-C, and its three open files."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    ignored: bool
    files: list[int]


class Server:
    """Forks a process for every job, passes its exit status on, and ends it when the one who asked has ended."""

    def __init__(self, address: str, word: str, end: int, libraries: Sequence[str] = LIBRARIES) -> None:
        """Listen.

        Args:
            address: of the abstract socket, which leaves no file.
            word: that a job must know: other programs of the user can read the address, in a container too.
            end: a file that can be read when the run has ended.
            libraries: modules to load before the first fork.
        """
        self._libraries, self._loaded, self._word = libraries, False, word
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
                self.stop()
                return None
            for do in events:
                job = do()
                if job is not None:
                    return job

    def stop(self) -> None:
        """End every job."""
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)

    def _watch(self, file: Any, do: Callable[[], Job | None] | None) -> None:
        self._selector.register(file, selectors.EVENT_READ, do)

    def _accept(self) -> Job | None:
        connection, _ = self._listening.accept()
        files: list[int] = []
        request: dict[str, Any] = {}
        try:
            # a stranger could keep everyone waiting by sending nothing
            if job_client.user_of(connection) == os.getuid():
                found, files = job_client.receive_with_files(connection, 3)
                request = found or {}
            # where a job does not fit, or there is no room for another process, it works by itself
            process = self._fork() if self._fits(request) else None
        except (OSError, ValueError):
            process = None
        if process == 0:
            self._leave(connection)
            return Job(request["arguments"], request["folder"], request["environment"], request["ignored"], files)
        _close(*files)
        if process is None:
            connection.close()
        else:
            self._follow(connection, process)
        return None

    def _fits(self, request: dict[str, Any]) -> bool:
        return bool(request) and hmac.compare_digest(request["word"], self._word) and request["needs"] == job_client.conditions()

    def _fork(self) -> int:
        self._load()
        return os.fork()

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
        self._running.clear()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            else:
                os.close(key.fd)
        connection.close()
        self._selector.close()

    def _follow(self, connection: socket.socket, process: int) -> None:
        """Tell the one who asked which process it is, and later how it has ended; end it when he goes."""
        try:
            ended = os.pidfd_open(process)
        except OSError:  # too many open files
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            connection.close()
            return
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
            if self._running.get(ended) == process:  # both may end at one time
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
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)  # no one would hear of its end
    os.setpgid(0, 0)  # Ctrl-C reaches the one who asked, who passes it on
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN if job.ignored else signal.default_int_handler)
    for number, file in enumerate(job.files):
        os.dup2(file, number)
    _close(*job.files)
    os.chdir(job.folder)
    os.environ.clear()
    os.environ.update(job.environment)
    sys.argv = ["madad", *job.arguments]
    from madad.cli.main import main

    return main(job.arguments)


def main(arguments: Sequence[str]) -> int:
    """Serve until the run ends."""
    address, word = job_client.place_of(os.environ[job_client.VARIABLE])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the jobs and Snakemake, whose end is the end of this
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    server = Server(address, word, int(arguments[0]))
    try:
        job = server.run()
    except BaseException:
        server.stop()
        raise
    return 0 if job is None else become(job)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
