"""Slices per second of the diffusion U-Net, by size and number format.

    python -m benchmarks.ddpm_throughput [--device auto] [--threads 2] [--sizes demo small]

A training step is what the engine does: noise, forward, backward, Adam. Inference is one pass of a reconstruction.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from madad import cards
from madad.engine import devices
from madad.methods import registry

# image side, batch, hyper-parameters that differ from the card
SIZES = {
    "unit": (32, 16, {"base_channels": 16, "blocks_per_level": 1, "norm_groups": 8}),
    "demo": (64, 16, {"base_channels": 16, "blocks_per_level": 1, "norm_groups": 8}),
    "small": (64, 16, {"base_channels": 32, "blocks_per_level": 1}),
    "small-96": (96, 16, {"base_channels": 32, "blocks_per_level": 1}),
    "paper": (96, 32, {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["unit", "demo", "small", "small-96"])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = devices.pick(arguments.device)
    print(f"{device}, {arguments.threads} threads, torch {torch.__version__}")
    print(f"{'size':10}{'format':8}{'parameters':>12}{'train step s':>14}{'train slices/s':>16}{'infer slices/s':>16}")
    for size in arguments.sizes:
        for number_format in (torch.float32, torch.bfloat16):
            measure(size, number_format, device, arguments.repeats)


def measure(size: str, number_format: torch.dtype, device: torch.device, repeats: int) -> None:
    side, batch, changes = SIZES[size]
    method = registry.build("ddpm", cards.resolve("ddpm", changes, {}, None)["parameters"], 0).to(device)
    optimiser = torch.optim.Adam(method.parameters(), lr=1e-4)
    image = torch.rand(batch, 1, side, side, device=device)
    data, generator = {"image": image, "brain": image > 0}, torch.Generator().manual_seed(0)
    narrow = torch.autocast(device.type, number_format, enabled=number_format != torch.float32)

    def train() -> None:
        with narrow:
            loss = method.training_loss(data, generator)["loss"]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    @torch.inference_mode()
    def infer() -> None:
        with narrow:
            method.reconstruct(image, generator)

    step, passed = (best_time(action, device, repeats) for action in (train, infer))
    parameters = sum(weight.numel() for weight in method.parameters())
    name = str(number_format).removeprefix("torch.").replace("float32", "fp32").replace("bfloat16", "bf16")
    print(f"{size:10}{name:8}{parameters:12,}{step:14.3f}{batch / step:16.1f}{batch / passed:16.1f}", flush=True)


def best_time(action: Callable[[], None], device: torch.device, repeats: int) -> float:
    """Shortest of several runs, which other programs on the machine disturb least."""
    action()
    times = []
    for _ in range(repeats):
        devices.synchronise(device)
        begun = time.perf_counter()
        action()
        devices.synchronise(device)
        times.append(time.perf_counter() - begun)
    return min(times)


if __name__ == "__main__":
    main()
