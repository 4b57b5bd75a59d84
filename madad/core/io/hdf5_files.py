"""Opening HDF5 files for reading and for writing, also where the file system has no locks."""

from __future__ import annotations

import io
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from madad.core.errors import UserError
from madad.core.provenance import complete


class _Sink(io.FileIO):
    """A file for HDF5 to write to, which keeps the first error to itself: HDF5 loses its way on a full disk, and crashes.

    Attributes:
        error: the first error of the disk; nothing is written after it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self.error: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write all bytes, or pretend to."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.error is None:
            try:
                done += super().write(view[done:]) or 0
            except OSError as error:
                self.error = error
        self.seek(len(view) - done, os.SEEK_CUR)
        return len(view)

    def readinto(self, buffer: Any, /) -> int:
        """Read bytes; those that were never written are 0."""
        view = memoryview(buffer).cast("B")
        done = super().readinto(view)
        view[done:] = bytes(len(view) - done)
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        """Change the size, or pretend to."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0


class Store(h5py.File):
    """A new HDF5 file."""

    def __init__(self, sink: _Sink) -> None:
        super().__init__(sink, "w")
        self._sink = sink

    def check(self) -> None:
        """Raise the error of the disk, if there was one; after it nothing more is written."""
        if self._sink.error:
            raise self._sink.error


@contextmanager
def creating(path: str | Path) -> Generator[Store]:
    """Yield a new HDF5 file, which appears under its name only when complete; it is not locked, as only one process writes it.

    Raises:
        OSError: the disk is full, or failed otherwise.
    """
    with complete(path) as partial, _Sink(partial) as sink:
        with Store(sink) as store:
            yield store
        if sink.error:
            raise sink.error


def reading(path: Path) -> h5py.File:
    """Return an HDF5 file opened for reading, without a lock: it is complete, and nobody writes into it.

    Raises:
        UserError: no such file, not a readable HDF5 file, or the surroundings demand a lock that the file system does not have.
    """
    try:
        return h5py.File(path, "r", locking=False)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the step that writes it") from None
    except OSError as error:
        _refuse_locks(path, error)
        raise UserError(f"{path}: not a readable HDF5 file ({error}); delete it and run again") from None


def _refuse_locks(path: str | Path, error: OSError) -> None:
    if "lock" in str(error).lower():
        raise UserError(
            f"{path}: the file system has no locks, or another process holds one ({error}); the file is not damaged. "
            "Set the environment variable HDF5_USE_FILE_LOCKING to FALSE and run again"
        ) from None
