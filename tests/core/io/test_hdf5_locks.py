"""File systems without locks: files are read without one; where the surroundings demand one, the message names what to set."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5_files import creating, reading

READ = "import sys; from pathlib import Path; from madad.core.io.hdf5_files import reading; reading(Path(sys.argv[1])).close()"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with creating(tmp_path / "some.h5") as store:
        store["a"] = [1]
    return tmp_path / "some.h5"


def outcome(file: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Read a file that another process has locked."""
    known = {key: value for key, value in os.environ.items() if key != "HDF5_USE_FILE_LOCKING"}
    with file.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        return subprocess.run(
            [sys.executable, "-c", READ, str(file)], env={**known, **variables}, capture_output=True, text=True, check=False
        )


def test_a_locked_file_is_read(file: Path) -> None:
    assert outcome(file).returncode == 0
    assert outcome(file, HDF5_USE_FILE_LOCKING="FALSE").returncode == 0


def test_where_a_lock_is_demanded_the_variable_is_named(file: Path) -> None:
    done = outcome(file, HDF5_USE_FILE_LOCKING="TRUE")
    if done.returncode == 0:
        pytest.skip("this version of HDF5 reads without a lock whatever the variable says")
    assert "HDF5_USE_FILE_LOCKING to FALSE" in done.stderr and "not damaged" in done.stderr and "delete it" not in done.stderr


@pytest.mark.parametrize(
    "words", ["unable to lock file, errno = 37, error message = 'No locks available'", "unable to lock file"]
)
def test_a_sound_file_is_not_called_unreadable(file: Path, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(f"Unable to synchronously open file ({words})")

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(UserError, match=r"not damaged.*HDF5_USE_FILE_LOCKING to FALSE"):
        reading(file)


def test_a_damaged_file_is_called_unreadable(file: Path) -> None:
    file.write_bytes(b"no HDF5")
    with pytest.raises(UserError, match=r"not a readable HDF5 file .*delete it and run again"):
        reading(file)
