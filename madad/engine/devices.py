"""The device that a job runs on. On a machine with several GPUs each job leases one of its own.

If a scheduler has set CUDA_VISIBLE_DEVICES to one GPU, that one is used. A lease is a lock on a file in the temporary folder,
which the system releases when the process ends, however it ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import torch
from torch import nn

from madad.core.errors import UserError
from madad.core.logs import say

WAIT_S = 5.0

# Limits of glibc's allocator (malloc.h) above which freed memory goes back to the system at once, and what they are set to.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**30

# Channels at full resolution from which a training on a CPU has the channels first.
WIDE = 32

# Used instead of "auto" for a job that needs no GPU of its own.
SHARED = "shared"


def pick(device: str = "auto") -> torch.device:
    """Return the requested device, or for "auto" the best available: CUDA, then Apple's MPS, then the CPU.

    `SHARED` is the same device, used together with other jobs; under SLURM it is the CPU.

    Raises:
        UserError: there is no such device.
    """
    if device == SHARED and "SLURM_JOB_ID" in os.environ:  # a job that requested no GPU from the cluster must not use one
        return torch.device("cpu")
    if device in ("auto", SHARED):
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise UserError(f"device: {device!r} is not a device; use auto, cpu, cuda, cuda:1 or mps") from None
    available = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (chosen.index or 0) >= available.get(chosen.type, 0):
        raise UserError(f"device: {device!r} does not exist ({available.get(chosen.type, 0)} of its kind found); use auto or cpu")
    return chosen


def channels(method: nn.Module, device: torch.device, *, trains: bool = False) -> str:
    """Return whether the 2D convolutions of a method on a device have the channels "first" or "last" in memory.

    Last, which makes inference on a CPU 1.1 to 1.25 times faster, but for trainings on a CPU of networks with at least `WIDE`
    channels at full resolution, which the channels last slow down: 1.05 to 1.12 times with AVX-512, 1.3 to 1.6 times with AVX2
    alone (`benchmarks/layouts.py`). Results differ in the last digits, so that a choice by measured time would let weights depend
    on how busy a machine is: it depends on the method and on the kind of device alone.
    """
    if any(weight.ndim >= 5 for weight in method.parameters()):  # torch refuses the channels last for 3D convolutions
        return "first"
    widths = [layer.out_channels for layer in method.modules() if isinstance(layer, nn.Conv2d) and layer.weight.requires_grad]
    return "first" if trains and device.type == "cpu" and widths and widths[0] >= WIDE else "last"


def move(method: nn.Module, device: torch.device, *, trains: bool = False) -> nn.Module:
    """Move a method to a device and store its 2D convolutions as `channels` says."""
    if channels(method, device, trains=trains) == "first":
        return method.to(device)
    return method.to(device=device, memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]  # torch does not declare it


@contextmanager
def lease(device: str = "auto") -> Generator[torch.device]:
    """Yield the device of `pick`; with "auto" and several visible GPUs, wait for one that no other job holds."""
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
def lock_one(names: Sequence[str], folder: Path | None = None) -> Generator[int]:
    """Hold the first free one of several named locks, waiting until one is free, and yield its position.

    Args:
        names: names of the locks, the preferred ones first.
        folder: where the lock files are; the temporary folder of the system by default.
    """
    folder = folder or Path(tempfile.gettempdir())
    reported = False
    while True:
        for position, name in enumerate(names):
            held = _try_lock(folder / f"madad-gpu-{name}.lock")
            if held is not None:
                with held:
                    yield position
                return
        if not reported:
            say(f"all {len(names)} GPUs are leased to other jobs; waiting for one")
            reported = True
        time.sleep(WAIT_S)


def keep_freed_memory() -> bool:
    """Let this process keep the memory of freed tensors on the CPU for the next ones; return whether the C library can.

    By default glibc gives every large block back to the system, which clears it page by page when it is asked for again: at every
    step of a training. The limits belong to the process, so that only jobs that compute and then end call this.
    """
    try:
        set_limit = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, which has limits of its own
        return False
    return all([set_limit(limit, KEPT_BYTES) for limit in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD)])


def uses_bfloat16(wanted: str, device: torch.device) -> bool:
    """Return whether a training computes in bfloat16 where it can, for the precision "auto", "32" or "bf16"."""
    if wanted == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return wanted == "bf16"


def reset_peak_memory(device: torch.device) -> None:
    """Restart the measurement of peak memory on devices that can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb(device: torch.device) -> float:
    """Return the largest memory in use (MiB): on a GPU since the last reset, otherwise of the process (resident set)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished its work, so that measured times are right."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _free_memory_mb() -> dict[str, float]:
    """Return the free memory (MiB) of each GPU by its UUID. Asking torch would open a context on every GPU."""
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
