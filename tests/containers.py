"""A container image made of two programs of this machine, for tests that call podman where it can run containers."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

NAME = "localhost/madad-test-copy:latest"
PROGRAMS = ("sh", "cp")
# Copies every image: its map is the image itself.
COMMAND = "sh -c 'cp {input}/* {output}'"


def image(folder: Path) -> str | None:
    """Return the name of the image after trying it; None where podman is not installed or cannot run a container.

    Args:
        folder: for the archive that it is made from.
    """
    if not shutil.which("podman"):
        return None
    with tarfile.open(folder / "image.tar", "w", dereference=True) as archive:
        for source, inside in _files().items():
            archive.add(source, inside)
    made = _podman("import", str(folder / "image.tar"), NAME)
    return NAME if made and _podman("run", "--rm", "--network", "none", NAME, "sh", "-c", "true") else None


def _files() -> dict[str, str]:
    """Return the programs, and the libraries that they load, with their places in the image."""
    files = {}
    for program in PROGRAMS:
        path = str(shutil.which(program))
        files[path] = f"bin/{program}"
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        files |= {library: library.lstrip("/") for library in re.findall(r"(/\S+) \(0x", listed)}
    return files


def _podman(*arguments: str) -> bool:
    return subprocess.run(["podman", *arguments], capture_output=True, check=False, timeout=120).returncode == 0
