"""Devices and their lease."""

from __future__ import annotations

import multiprocessing
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from madad.core.errors import UserError
from madad.engine import devices


def test_cpu_is_always_there() -> None:
    assert devices.pick("cpu") == torch.device("cpu")
    with devices.lease("cpu") as device:
        assert device.type == "cpu"


def test_auto_takes_the_best() -> None:
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert devices.pick("auto").type == best


@pytest.mark.parametrize("device", ["cuda:99", "xpu", "gpu please"])
def test_device_that_is_not_there(device: str) -> None:
    with pytest.raises(UserError, match="device:"):
        devices.pick(device)


@pytest.mark.parametrize(("wanted", "given"), [("auto", False), ("32", False), ("bf16", True)])
def test_precision_on_a_cpu(wanted: str, given: bool) -> None:
    assert devices.uses_bfloat16(wanted, torch.device("cpu")) == given


@pytest.mark.parametrize(
    ("layer", "device", "trains", "order"),
    [
        (nn.Conv2d(1, devices.WIDE, 3), "cpu", True, "first"),
        (nn.Conv2d(1, devices.WIDE, 3), "cpu", False, "last"),
        (nn.Conv2d(1, devices.WIDE, 3), "cuda", True, "last"),
        (nn.Conv2d(1, devices.WIDE - 1, 3), "cpu", True, "last"),
        (nn.Conv3d(1, devices.WIDE, 3), "cpu", False, "first"),
        (nn.Linear(1, 1), "cpu", True, "last"),
    ],
)
def test_order_of_the_channels_in_memory(layer: nn.Module, device: str, trains: bool, order: str) -> None:
    assert devices.channels(layer, torch.device(device), trains=trains) == order


@pytest.mark.parametrize("trains", [True, False])
def test_weights_are_stored_in_that_order(trains: bool) -> None:
    layer = devices.move(nn.Conv2d(2, devices.WIDE, 3), torch.device("cpu"), trains=trains)
    assert layer.weight.is_contiguous(memory_format=torch.contiguous_format if trains else torch.channels_last)


def test_frozen_parts_do_not_count_in_the_width() -> None:
    method = nn.Sequential(nn.Conv2d(1, devices.WIDE, 3).requires_grad_(False), nn.Conv2d(devices.WIDE, 1, 3))
    assert devices.channels(method, torch.device("cpu"), trains=True) == "last"


def test_jobs_without_a_gpu_of_their_own_take_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine with several GPUs they would wait for one another, on a cluster they would take what others were given."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with devices.lease(devices.SHARED) as first, devices.lease(devices.SHARED) as second:
        assert first == second == torch.device("cuda", 0)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with devices.lease(devices.SHARED) as alone:
        assert alone == torch.device("cpu")


def test_second_job_gets_the_second_gpu(tmp_path: Path) -> None:
    with devices.lock_one(["a", "b"], tmp_path) as first, devices.lock_one(["a", "b"], tmp_path) as second:
        assert (first, second) == (0, 1)
    with devices.lock_one(["a", "b"], tmp_path) as again:
        assert again == 0


def _hold(folder: Path, held: object) -> None:
    with devices.lock_one(["a"], folder):
        held.set()  # type: ignore[attr-defined]
        multiprocessing.Event().wait(60)


def test_killed_job_frees_its_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "WAIT_S", 0.05)
    held = multiprocessing.Event()
    job = multiprocessing.Process(target=_hold, args=(tmp_path, held))
    job.start()
    assert held.wait(30)
    job.kill()
    with devices.lock_one(["a"], tmp_path) as position:
        assert position == 0
    job.join()


def test_peak_memory_is_plausible() -> None:
    assert 10 < devices.peak_memory_mb(torch.device("cpu")) < 1e6


FAULTS = """
import resource, torch
from madad.engine import devices
if {keep} and not devices.keep_freed_memory():
    raise SystemExit("unknown C library")
for _ in range(12):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about the allocator of glibc")
def test_freed_memory_is_kept() -> None:
    """Blocks of 64 MB, 20 times: each is some thousand page faults, unless the process keeps them."""
    again, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS.format(keep=keep)], capture_output=True, check=True, text=True).stdout)
        for keep in (False, True)
    )
    assert kept < 100 < again
