"""Measure time, memory and error of the fluid generator.

    python -m benchmarks.fluid [--device auto] [--samples 5]

The time of a sample includes the random flow, its velocity, the window and the integration to T = 0.9 of a ball with a radius of
12 voxels (16 in 2D). Errors are differences from a run on the whole grid with a Courant number of 0.1.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from scipy import ndimage

from madad.data.anomalies import fluid
from madad.data.anomalies.fluid import evolve
from madad.data.anomalies.perlin import draw_lattice, noise
from madad.data.anomalies.velocity import draw_flow

TIME = 0.9
BOUNDARIES = ("box", "brain")
# grid, samples in a batch, radius of the lesion
CASES = {
    "one 96³ sample": ((96, 96, 96), 1, 12),
    "16 samples of 128²": ((128, 128), 16, 16),
    "one 192³ sample": ((192, 192, 192), 1, 24),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--samples", type=int, default=5, help="flows that are timed")
    arguments = parser.parse_args()
    auto = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(auto if arguments.device == "auto" else arguments.device)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{device}, {os.cpu_count()} cores, load {load}, torch {torch.__version__}, T = {TIME}, CFL {fluid.CFL}")
    print(f"{'':20}{'boundary':10}{'median s':>10}{'slowest s':>11}{'memory MB':>11}")
    for name, (grid, batch, radius) in CASES.items():
        for boundary in BOUNDARIES:
            run = sample(grid, batch, radius, boundary, device)
            spent, memory = timed(run, arguments.samples, device)
            print(f"{name:20}{boundary:10}{statistics.median(spent):10.3f}{max(spent):11.3f}{memory:11.0f}")
    spent, memory = timed(lambda seed: potential(200, seed, device), arguments.samples, device)
    print(f"{'Perlin noise, 200³':20}{'':10}{statistics.median(spent):10.3f}{max(spent):11.3f}{memory:11.0f}")
    print(f"\n{'':20}{'boundary':10}{'max error':>10}{'Dice at 0.2':>13}{'mass ratio':>12}{'min':>8}{'max':>8}")
    for name in list(CASES)[:2]:
        for boundary in BOUNDARIES:
            errors(name, boundary, arguments.samples, device)


def ball(grid: tuple[int, ...], radius: float) -> torch.Tensor:
    axes = torch.meshgrid(*[torch.arange(n, dtype=torch.float32) - 0.46 * n for n in grid], indexing="ij")
    return (sum(axis**2 for axis in axes) <= radius**2).float()[None]


def brain_depth(grid: tuple[int, ...]) -> torch.Tensor:
    inside = ball(grid, 0.46 * min(grid))[0].numpy() > 0
    return torch.from_numpy(ndimage.distance_transform_edt(np.pad(inside, 1))[(slice(1, -1),) * len(grid)].astype(np.float32))[
        None
    ]


def sample(grid: tuple[int, ...], batch: int, radius: float, boundary: str, device: torch.device) -> Callable[..., torch.Tensor]:
    start = ball(grid, radius).expand(batch, *grid).to(device)
    depth = brain_depth(grid).to(device) if boundary == "brain" else None
    times = torch.full((batch,), TIME, device=device)

    def run(seed: int, cfl: float = fluid.CFL) -> torch.Tensor:
        flow = draw_flow(len(grid), [np.random.default_rng((seed, number)) for number in range(batch)])
        return evolve(start, flow.to(device), times, depth, cfl)

    return run


def potential(width: int, seed: int, device: torch.device) -> torch.Tensor:
    points = torch.arange(width, dtype=torch.float32, device=device)[None] / (width / 2)
    return noise(draw_lattice(1, 3, np.random.default_rng(seed))[None].to(device), [points] * 3)


def timed(run: Callable[[int], torch.Tensor], samples: int, device: torch.device) -> tuple[list[float], float]:
    """Return the seconds of every sample after a first one to warm up, and the increase of the peak memory in MB."""
    before = used(device, reset=True)
    run(0)
    spent = []
    for seed in range(1, samples + 1):
        begun = time.perf_counter()
        run(seed)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        spent.append(time.perf_counter() - begun)
    return spent, used(device) - before


def used(device: torch.device, reset: bool = False) -> float:
    """Return the peak memory since the last reset in MB: allocations on a GPU, or the resident set of the process (Linux)."""
    if device.type == "cuda":
        if reset:
            torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.max_memory_allocated(device) / 2**20
    if reset:
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak, see proc(5)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


def errors(name: str, boundary: str, samples: int, device: torch.device) -> None:
    """Worst figures over the samples."""
    grid, batch, radius = CASES[name]
    run = sample(grid, batch, radius, boundary, device)
    worst = {"error": 0.0, "dice": 1.0, "mass": 1.0, "min": 0.0, "max": 0.0}
    mass = float(ball(grid, radius).double().sum())
    for seed in range(1, samples + 1):
        with mock.patch.object(fluid, "TAIL", 1000.0):
            exact = run(seed, cfl=0.1)
        found = run(seed)
        inside, truth = ((maps > 0.2 * maps.flatten(1).amax(1).view(-1, *[1] * len(grid))).flatten(1) for maps in (found, exact))
        dice = 2 * (inside & truth).sum(1) / (inside.sum(1) + truth.sum(1))
        ratios = found.double().flatten(1).sum(1) / mass
        worst["error"] = max(worst["error"], float((found - exact).abs().max()))
        worst["dice"] = min(worst["dice"], float(dice.min()))
        worst["mass"] = max(worst["mass"], *ratios.tolist(), key=lambda ratio: abs(ratio - 1))
        worst["min"], worst["max"] = min(worst["min"], float(found.min())), max(worst["max"], float(found.max()))
    print(
        f"{name:20}{boundary:10}{worst['error']:10.1e}{worst['dice']:13.5f}{worst['mass']:12.6f}{worst['min']:8.4f}{worst['max']:8.4f}"
    )


if __name__ == "__main__":
    main()
