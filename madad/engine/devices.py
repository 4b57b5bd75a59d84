"""Which device a job runs on. Several jobs on a machine with several GPUs each lease one of their own.

A scheduler that has set CUDA_VISIBLE_DEVICES to one GPU is obeyed. A lease is a lock on a file in the temporary folder:
the system frees it when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import torch
from torch import nn

from madad.core.errors import UserError
from madad.core.logs import say

WAIT_S = 5.0

# Instead of "auto", for a job that asks for no GPU of its own.
SHARED = "shared"


def pick(device: str = "auto") -> torch.device:
    """The device that is asked for, or the best there is: CUDA, then Apple's MPS, then the CPU.

    With `SHARED` the same, but together with other jobs, and outside of SLURM alone.

    Raises:
        UserError: there is no such device.
    """
    if device == SHARED and "SLURM_JOB_ID" in os.environ:  # whoever asked a cluster for no card keeps off them
        return torch.device("cpu")
    if device in ("auto", SHARED):
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise UserError(f"device: {device!r} is not a device; give auto, cpu, cuda, cuda:1 or mps") from None
    available = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (chosen.index or 0) >= available.get(chosen.type, 0):
        raise UserError(f"device: {device!r} is not there ({available.get(chosen.type, 0)} of its kind found); use auto or cpu")
    return chosen


def place(method: nn.Module, device: torch.device) -> nn.Module:
    """Move a method to a device, its 2D convolutions laid out with the channels last, which is faster everywhere.

    A training step of the small U-Net took 0.23 s instead of 0.26 s on a CPU core. Results change in the last digits alone.
    """
    flat = all(weight.ndim < 5 for weight in method.parameters())  # torch refuses the layout for 3D convolutions
    return method.to(device=device, memory_format=torch.channels_last) if flat else method.to(device)


@contextmanager
def lease(device: str = "auto") -> Iterator[torch.device]:
    """As `pick`; with "auto" and several visible GPUs, one that no other job of ours holds, waiting until one is free."""
    count = torch.cuda.device_count()
    if device != "auto" or count < 2:
        yield pick(device)
        return
    free = _free_memory_mb()
    uuids = [str(torch.cuda.get_device_properties(index).uuid).removeprefix("GPU-") for index in range(count)]
    order = sorted(range(count), key=lambda index: -free.get(uuids[index], 0.0))
    with lock_one([uuids[index] for index in order]) as position:
        yield torch.device("cuda", order[position])


@contextmanager
def lock_one(names: Sequence[str], folder: Path | None = None) -> Iterator[int]:
    """Hold the first of several named locks that is free, waiting until one is. Yields its position.

    Args:
        names: what is locked, the most wanted first.
        folder: where the lock files are; the temporary folder of the system by default.
    """
    folder = folder or Path(tempfile.gettempdir())
    said = False
    while True:
        for position, name in enumerate(names):
            held = _try_lock(folder / f"madad-gpu-{name}.lock")
            if held is not None:
                with held:
                    yield position
                return
        if not said:
            say(f"all {len(names)} GPUs are leased to other jobs; waiting for one")
            said = True
        time.sleep(WAIT_S)


def precision(wanted: str, device: torch.device) -> str:
    """The number format in Fabric's words for "auto", "32" or "bf16"."""
    if wanted == "auto":
        wanted = "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "32"
    return {"32": "32-true", "bf16": "bf16-mixed"}[wanted]


def reset_peak_memory(device: torch.device) -> None:
    """Start to measure anew where the device can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb(device: torch.device) -> float:
    """Largest memory in use: on a GPU since the last reset, otherwise of the process so far (resident set)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was told, so that a clock tells the truth."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _free_memory_mb() -> dict[str, float]:
    """Free memory of each GPU by its UUID. Asking torch would open a context on every one of them."""
    query = ["nvidia-smi", "--query-gpu=uuid,memory.free", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()
        pairs = [line.split(",") for line in lines]
        return {uuid.strip().removeprefix("GPU-"): float(free) for uuid, free in pairs}
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}


def _try_lock(path: Path) -> TextIO | None:
    with suppress(PermissionError):  # another user's lock file counts as taken
        stream = open(path, "a")  # noqa: SIM115  (the caller closes it)
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.close()
            return None
        os.utime(path)
        return stream
    return None
